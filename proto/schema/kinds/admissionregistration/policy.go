package admissionregistration

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

const (
	maxConditions  = 64
	maxAnnotations = 20
)

// reasons are those that a validation may give.
var reasons = []string{"Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"}

var identifier = regexp.MustCompile(`^[_a-zA-Z][_a-zA-Z0-9]*$`)

func validatingPolicy(p, _ *v1.ValidatingAdmissionPolicy) rule.ErrorList {
	s, at := p.GetSpec(), field.NewPath("spec")
	errs := subject(s.GetParamKind(), s.GetMatchConstraints(), s.GetMatchConditions(), s.GetVariables(), at, false)
	if len(s.GetValidations()) == 0 && len(s.GetAuditAnnotations()) == 0 {
		errs = append(errs, field.Required(at.Child("validations"), "validations or auditAnnotations must contain at least one item"))
		errs = append(errs, field.Required(at.Child("auditAnnotations"), "validations or auditAnnotations must contain at least one item"))
	}
	for i, v := range s.GetValidations() {
		errs = append(errs, validationOf(v, at.Child("validations").Index(i))...)
	}
	return append(errs, annotations(p.GetMetadata().GetName(), s.GetAuditAnnotations(), at.Child("auditAnnotations"))...)
}

func mutatingPolicy(p, _ *v1.MutatingAdmissionPolicy) rule.ErrorList {
	s, at := p.GetSpec(), field.NewPath("spec")
	errs := subject(s.GetParamKind(), s.GetMatchConstraints(), s.GetMatchConditions(), s.GetVariables(), at, true)
	if len(s.GetMutations()) == 0 {
		errs = append(errs, field.Required(at.Child("mutations"), "mutations must contain at least one item"))
	}
	for i, m := range s.GetMutations() {
		errs = append(errs, mutation(m, at.Child("mutations").Index(i))...)
	}
	return errs
}

// subject checks what both kinds of policies have in common.
func subject(kind *v1.ParamKind, match *v1.MatchResources, when []*v1.MatchCondition, vars []*v1.Variable, at *rule.Path, mutating bool) rule.ErrorList {
	var errs rule.ErrorList
	if kind != nil {
		errs = append(errs, paramKind(kind, at.Child("paramKind"))...)
	}
	switch {
	case match == nil:
		errs = append(errs, field.Required(at.Child("matchConstraints"), ""))
	case len(match.ResourceRules) == 0:
		errs = append(errs, field.Required(at.Child("matchConstraints", "resourceRules"), ""))
	}
	errs = append(errs, matching(match, at.Child("matchConstraints"), mutating)...)
	for i, v := range vars {
		errs = append(errs, variable(v, vars[:i], at.Child("variables").Index(i))...)
	}
	return append(errs, conditions(when, at.Child("matchConditions"))...)
}

func paramKind(k *v1.ParamKind, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if k.ApiVersion == "" {
		errs = append(errs, field.Required(at.Child("apiVersion"), ""))
	} else if gv, err := schema.ParseGroupVersion(k.ApiVersion); err != nil {
		errs = append(errs, field.Invalid(at.Child("apiVersion"), k.ApiVersion, err.Error()))
	} else {
		for _, msg := range validation.IsDNS1035Label(gv.Version) {
			errs = append(errs, field.Invalid(at.Child("apiVersion"), k.ApiVersion, msg))
		}
	}
	if k.Kind == "" {
		return append(errs, field.Required(at.Child("kind"), ""))
	}
	for _, msg := range validation.IsDNS1035Label(strings.ToLower(k.Kind)) {
		errs = append(errs, field.Invalid(at.Child("kind"), k.Kind, "may have mixed case, but should otherwise match: "+msg))
	}
	return errs
}

func variable(v *v1.Variable, before []*v1.Variable, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	switch {
	case strings.TrimSpace(v.Name) == "":
		errs = append(errs, field.Required(at.Child("name"), "name is not specified"))
	case !identifier.MatchString(v.Name):
		errs = append(errs, field.Invalid(at.Child("name"), v.Name, "name is not a valid CEL identifier"))
	case slices.ContainsFunc(before, func(o *v1.Variable) bool { return o.Name == v.Name }):
		errs = append(errs, field.Duplicate(at.Child("name"), v.Name))
	}
	return append(errs, expression(v.Expression, at.Child("expression"))...)
}

func expression(text string, at *rule.Path) rule.ErrorList {
	if strings.TrimSpace(text) == "" {
		return rule.ErrorList{field.Required(at, "expression is not specified")}
	}
	return nil
}

func conditions(list []*v1.MatchCondition, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if len(list) > maxConditions {
		errs = append(errs, field.TooMany(at, len(list), maxConditions))
	}
	for i, c := range list {
		here := at.Index(i)
		errs = append(errs, expressionRequired(c.Expression, here.Child("expression"))...)
		switch {
		case c.Name == "":
			errs = append(errs, field.Required(here.Child("name"), ""))
		case slices.ContainsFunc(list[:i], func(o *v1.MatchCondition) bool { return o.Name == c.Name }):
			errs = append(errs, field.Duplicate(here.Child("name"), c.Name))
		default:
			for _, msg := range validation.IsQualifiedName(c.Name) {
				errs = append(errs, field.Invalid(here.Child("name"), c.Name, msg))
			}
		}
	}
	return errs
}

func expressionRequired(text string, at *rule.Path) rule.ErrorList {
	if strings.TrimSpace(text) == "" {
		return rule.ErrorList{field.Required(at, "")}
	}
	return nil
}

func validationOf(v *v1.Validation, at *rule.Path) rule.ErrorList {
	errs := expression(v.Expression, at.Child("expression"))
	message := strings.TrimSpace(v.Message)
	switch {
	case v.MessageExpression != "" && strings.TrimSpace(v.MessageExpression) == "":
		errs = append(errs, field.Invalid(at.Child("messageExpression"), v.MessageExpression, "must be non-empty if specified"))
	case v.Message != "" && message == "":
		errs = append(errs, field.Invalid(at.Child("message"), v.Message, "message must be non-empty if specified"))
	case strings.Contains(message, "\n"):
		errs = append(errs, field.Invalid(at.Child("message"), v.Message, "message must not contain line breaks"))
	}
	if v.Reason != nil && !slices.Contains(reasons, *v.Reason) {
		errs = append(errs, field.NotSupported(at.Child("reason"), *v.Reason, reasons))
	}
	return errs
}

func annotations(policy string, list []*v1.AuditAnnotation, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if len(list) > maxAnnotations {
		errs = append(errs, field.Invalid(at, list, fmt.Sprintf("must not have more than %d auditAnnotations", maxAnnotations)))
	}
	for i, a := range list {
		here := at.Index(i)
		for _, msg := range validation.IsQualifiedName(policy + "/" + a.Key) {
			errs = append(errs, field.Invalid(here.Child("key"), a.Key, "key must be a qualified name: "+msg))
		}
		if slices.ContainsFunc(list[:i], func(o *v1.AuditAnnotation) bool { return o.Key == a.Key }) {
			errs = append(errs, field.Duplicate(here.Child("key"), a.Key))
		}
		if strings.TrimSpace(a.ValueExpression) == "" {
			errs = append(errs, field.Required(here.Child("valueExpression"), "valueExpression is not specified"))
		}
	}
	return errs
}

func mutation(m *v1.Mutation, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	switch m.PatchType {
	case "":
		return rule.ErrorList{field.Required(at.Child("patchType"), "")}
	case "ApplyConfiguration":
		if m.ApplyConfiguration == nil {
			errs = append(errs, field.Required(at.Child("applyConfiguration"), "applyConfiguration is required when patchType is ApplyConfiguration"))
		} else {
			errs = append(errs, expression(m.ApplyConfiguration.Expression, at.Child("applyConfiguration", "expression"))...)
		}
		if m.JsonPatch != nil {
			errs = append(errs, field.Forbidden(at.Child("jsonPatch"), "jsonPatch may only be set when patchType is JSONPatch"))
		}
	case "JSONPatch":
		if m.JsonPatch == nil {
			errs = append(errs, field.Required(at.Child("jsonPatch"), "jsonPatch is required when patchType is JSONPatch"))
		} else {
			errs = append(errs, expression(m.JsonPatch.Expression, at.Child("jsonPatch", "expression"))...)
		}
		if m.ApplyConfiguration != nil {
			errs = append(errs, field.Forbidden(at.Child("applyConfiguration"), "applyConfiguration may only be set when patchType is ApplyConfiguration"))
		}
	}
	return errs
}

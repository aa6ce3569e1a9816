package admissionregistration

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

func validatingBinding(b, _ *v1.ValidatingAdmissionPolicyBinding) rule.ErrorList {
	s, at := b.GetSpec(), field.NewPath("spec")
	errs := binding(s.GetPolicyName(), s.GetParamRef(), s.GetMatchResources(), at, false)
	actions := s.GetValidationActions()
	for i, a := range actions {
		if slices.Contains(actions[:i], a) {
			errs = append(errs, field.Duplicate(at.Child("validationActions").Index(i), a))
		}
	}
	if slices.Contains(actions, "Deny") && slices.Contains(actions, "Warn") {
		errs = append(errs, field.Invalid(at.Child("validationActions"), actions,
			"must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"))
	}
	return errs
}

func mutatingBinding(b, _ *v1.MutatingAdmissionPolicyBinding) rule.ErrorList {
	s := b.GetSpec()
	return binding(s.GetPolicyName(), s.GetParamRef(), s.GetMatchResources(), field.NewPath("spec"), true)
}

func binding(policy string, ref *v1.ParamRef, match *v1.MatchResources, at *rule.Path, mutating bool) rule.ErrorList {
	var errs rule.ErrorList
	if policy == "" {
		errs = append(errs, field.Required(at.Child("policyName"), ""))
	} else {
		for _, msg := range validation.NameIsDNSSubdomain(policy, false) {
			errs = append(errs, field.Invalid(at.Child("policyName"), policy, msg))
		}
	}
	if ref != nil {
		errs = append(errs, paramRef(ref, at.Child("paramRef"))...)
	}
	if match != nil {
		errs = append(errs, matching(match, at.Child("matchResources"), mutating)...)
	}
	return errs
}

func paramRef(r *v1.ParamRef, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	switch {
	case r.Name != "" && r.Selector != nil:
		errs = append(errs, field.Forbidden(at.Child("name"), "name and selector are mutually exclusive"))
	case r.Name != "":
		for _, msg := range validation.NameIsDNSSubdomain(r.Name, false) {
			errs = append(errs, field.Invalid(at.Child("name"), r.Name, msg))
		}
	case r.Selector != nil:
		errs = append(errs, rule.LabelSelector(r.Selector, at.Child("selector"))...)
	default:
		errs = append(errs, field.Required(at, "one of name or selector must be specified"))
	}
	switch action := r.GetParameterNotFoundAction(); action {
	case "Allow", "Deny":
	case "":
		errs = append(errs, field.Required(at.Child("parameterNotFoundAction"), ""))
	default:
		errs = append(errs, field.NotSupported(at.Child("parameterNotFoundAction"), action, []string{"Allow", "Deny"}))
	}
	return errs
}

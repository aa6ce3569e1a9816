package policy

import (
	"context"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation/field"

	celgo "github.com/google/cel-go/cel"

	"github.com/keelson/keelson/apiserver/internal/admission/expr"
	"github.com/keelson/keelson/apiserver/internal/cel"
	"github.com/keelson/keelson/proto/apierrors"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Expressions checks the expressions of policies and of webhooks' match conditions when they are written, and tells in a
// validating policy's status what is doubtful about them. It is part of these kinds' validation, and is a plugin because
// their schema knows no CEL.
type Expressions struct{ server *pipeline.Server }

// Name implements admission.Plugin.
func (*Expressions) Name() string { return "AdmissionExpressions" }

// Attach implements pipeline.Attacher.
func (p *Expressions) Attach(s *pipeline.Server) { p.server = s }

// Admit implements admission.Plugin.
func (p *Expressions) Admit(_ context.Context, r *admission.Request) error {
	policy, ok := r.Object.(*v1.ValidatingAdmissionPolicy)
	if !ok || r.Subresource != "" || p.server == nil || r.Operation != admission.Create && r.Operation != admission.Update {
		return nil
	}
	if old, ok := r.Old.(*v1.ValidatingAdmissionPolicy); ok && proto.Equal(policy.GetSpec(), old.GetSpec()) && policy.GetStatus().GetTypeChecking() != nil {
		return nil
	}
	generation := int64(1)
	if r.Old != nil {
		generation = r.Old.GetMetadata().GetGeneration() + 1
	}
	if policy.Status == nil {
		policy.Status = &v1.ValidatingAdmissionPolicyStatus{}
	}
	policy.Status.ObservedGeneration = generation
	policy.Status.TypeChecking = &v1.TypeChecking{ExpressionWarnings: typeWarnings(p.server.Registry(), policy.GetSpec())}
	return nil
}

// Validate implements admission.Validator.
func (p *Expressions) Validate(_ context.Context, r *admission.Request) error {
	if r.Kind.Group != group || r.Subresource != "" || r.Object == nil {
		return nil
	}
	if r.Old != nil && unchanged(r.Object, r.Old) {
		return nil // what was good enough before is not refused for something else
	}
	if errs := check(r.Object); len(errs) > 0 {
		return apierrors.NewInvalid(r.Kind.Group, r.Kind.Kind, r.Object.GetMetadata().GetName(), schema.Causes(errs))
	}
	return nil
}

func unchanged(obj, old proto.Message) bool {
	strip := func(m proto.Message) proto.Message {
		m = proto.Clone(m)
		for _, name := range []string{"metadata", "status"} {
			if fd := m.ProtoReflect().Descriptor().Fields().ByTextName(name); fd != nil {
				m.ProtoReflect().Clear(fd)
			}
		}
		return m
	}
	return proto.Equal(strip(obj), strip(old))
}

func check(obj proto.Message) rule.ErrorList {
	switch o := obj.(type) {
	case *v1.ValidatingAdmissionPolicy:
		return checkValidating(o.GetSpec())
	case *v1.MutatingAdmissionPolicy:
		return checkMutating(o.GetSpec())
	case *v1.ValidatingWebhookConfiguration:
		return checkWebhooks(o.Webhooks)
	case *v1.MutatingWebhookConfiguration:
		return checkWebhooks(o.Webhooks)
	}
	return nil
}

// invalid is the field error of an expression.
func invalid(at *rule.Path, expression string, err error) rule.ErrorList {
	if err == nil {
		return nil
	}
	return rule.ErrorList{field.Invalid(at, expression, err.Error())}
}

func compiler(o expr.Options, at *rule.Path) (*expr.Compiler, rule.ErrorList) {
	c, err := expr.NewCompiler(o)
	if err != nil {
		return nil, rule.ErrorList{field.InternalError(at, err)}
	}
	return c, nil
}

func checkConditions(c *expr.Compiler, list []*v1.MatchCondition, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	for i, m := range list {
		_, err := c.Compile(m.Expression, cel.BoolType)
		errs = append(errs, invalid(at.Index(i).Child("expression"), m.Expression, err)...)
	}
	return errs
}

func checkWebhooks[T interface{ GetMatchConditions() []*v1.MatchCondition }](list []T) rule.ErrorList {
	at := field.NewPath("webhooks")
	var errs rule.ErrorList
	for i, w := range list {
		if len(w.GetMatchConditions()) == 0 {
			continue
		}
		c, failed := compiler(expr.Options{}, at)
		if failed != nil {
			return failed
		}
		errs = append(errs, checkConditions(c, w.GetMatchConditions(), at.Index(i).Child("matchConditions"))...)
	}
	return errs
}

// checkCommon checks variables and match conditions.
func checkCommon(c *expr.Compiler, s spec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	for i, v := range s.GetVariables() {
		errs = append(errs, invalid(at.Child("variables").Index(i).Child("expression"), v.Expression, c.Variable(v.Name, v.Expression))...)
	}
	return append(errs, checkConditions(c, s.GetMatchConditions(), at.Child("matchConditions"))...)
}

func checkValidating(s *v1.ValidatingAdmissionPolicySpec) rule.ErrorList {
	at := field.NewPath("spec")
	c, errs := compiler(expr.Options{Params: s.GetParamKind() != nil}, at)
	if errs != nil {
		return errs
	}
	errs = checkCommon(c, s, at)
	one := func(compile func(string, ...*celgo.Type) (*cel.Program, error), at *rule.Path, text string, types ...*celgo.Type) {
		_, err := compile(text, types...)
		errs = append(errs, invalid(at, text, err)...)
	}
	for i, v := range s.GetValidations() {
		here := at.Child("validations").Index(i)
		one(c.Compile, here.Child("expression"), v.Expression, cel.BoolType)
		if v.MessageExpression != "" {
			one(c.CompileText, here.Child("messageExpression"), v.MessageExpression, cel.StringType)
		}
	}
	for i, a := range s.GetAuditAnnotations() {
		one(c.Compile, at.Child("auditAnnotations").Index(i).Child("valueExpression"), a.ValueExpression, cel.StringType, cel.NullType)
	}
	return errs
}

func checkMutating(s *v1.MutatingAdmissionPolicySpec) rule.ErrorList {
	at := field.NewPath("spec")
	c, errs := compiler(expr.Options{Params: s.GetParamKind() != nil, Patches: true}, at)
	if errs != nil {
		return errs
	}
	errs = checkCommon(c, s, at)
	for i, m := range s.GetMutations() {
		here := at.Child("mutations").Index(i)
		text := m.GetApplyConfiguration().GetExpression()
		here = here.Child("applyConfiguration", "expression")
		if m.PatchType == "JSONPatch" {
			text, here = m.GetJsonPatch().GetExpression(), at.Child("mutations").Index(i).Child("jsonPatch", "expression")
		}
		_, err := compileMutation(c, m)
		errs = append(errs, invalid(here, text, err)...)
	}
	return errs
}

package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keelson/keelson/apiserver/internal/admission/expr"
	"github.com/keelson/keelson/apiserver/internal/cel"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// maxTypes is for how many kinds a policy's expressions are checked.
const maxTypes = 10

// typeWarnings tells which expressions do not fit the kinds that a policy names without wildcards: at run time they
// would fail, or mean something else.
func typeWarnings(registry *schema.Registry, s *v1.ValidatingAdmissionPolicySpec) []*v1.ExpressionWarning {
	kinds := named(registry, s.GetMatchConstraints())
	if len(kinds) == 0 {
		return nil
	}
	var out []*v1.ExpressionWarning
	one := func(at, text string) {
		if warning := typeWarning(s, kinds, text); warning != "" {
			out = append(out, &v1.ExpressionWarning{FieldRef: at, Warning: warning})
		}
	}
	for i, v := range s.GetValidations() {
		one(fmt.Sprintf("spec.validations[%d].expression", i), v.Expression)
		if v.MessageExpression != "" {
			one(fmt.Sprintf("spec.validations[%d].messageExpression", i), v.MessageExpression)
		}
	}
	return out
}

// named are the kinds that a policy matches by name.
func named(registry *schema.Registry, m *v1.MatchResources) []*schema.Kind {
	var out []*schema.Kind
	for _, r := range m.GetResourceRules() {
		q := r.GetRuleWithOperations().GetRule()
		lists := [][]string{q.GetApiGroups(), q.GetApiVersions(), q.GetResources()}
		if slices.ContainsFunc(lists, func(l []string) bool {
			return slices.ContainsFunc(l, func(s string) bool { return strings.Contains(s, "*") })
		}) {
			continue
		}
		for _, g := range lists[0] {
			for _, v := range lists[1] {
				for _, res := range lists[2] {
					if k, ok := registry.ByResource(g, v, res); ok && k.Served && !slices.Contains(out, k) && len(out) < maxTypes {
						out = append(out, k)
					}
				}
			}
		}
	}
	return out
}

// typeWarning checks one expression against each kind.
func typeWarning(s *v1.ValidatingAdmissionPolicySpec, kinds []*schema.Kind, text string) string {
	var out strings.Builder
	for _, k := range kinds {
		object := describe(k)
		if object == nil {
			continue
		}
		c, err := expr.NewTypedCompiler(expr.Options{Params: s.GetParamKind() != nil}, k.APIVersion()+"."+k.Kind, object)
		if err != nil {
			continue // a kind that cannot be described raises no doubts
		}
		for _, v := range s.GetVariables() {
			_ = c.Variable(v.Name, v.Expression) // an error there is told where the variable is used
		}
		var issue *cel.CompileError
		if _, err := c.Compile(text); errors.As(err, &issue) {
			fmt.Fprintf(&out, "%s, Kind=%s: %s\n", k.APIVersion(), k.Kind, strings.TrimPrefix(issue.Detail, "compilation failed: "))
		}
	}
	return out.String()
}

// described is the behaviour of custom kinds with a schema.
type described interface{ Describe() *cel.Schema }

// describe returns what expressions know of a kind; nil where nobody has said what is in its objects.
func describe(k *schema.Kind) *cel.Schema {
	if !k.IsCustom() {
		return cel.Describe(k.Descriptor)
	}
	custom, ok := k.Custom.(described)
	if !ok {
		return nil
	}
	body := custom.Describe()
	if body == nil {
		return nil
	}
	whole := *body
	whole.Properties = maps.Clone(body.Properties)
	if whole.Properties == nil {
		whole.Properties = map[string]*cel.Schema{}
	}
	whole.Properties["metadata"] = cel.Describe((*metav1.ObjectMeta)(nil).ProtoReflect().Descriptor())
	return &whole
}

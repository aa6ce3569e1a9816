package policy

import (
	"errors"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"github.com/keelson/keelson/apiserver/internal/admission/expr"
	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/apiserver/internal/cel"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
)

// subject is what both kinds of policies have in common.
type subject struct {
	name       string
	match      *hook.Match
	paramKind  *v1.ParamKind
	variables  map[string]*cel.Program
	conditions expr.Conditions
	// ignore lets requests pass where the policy itself fails.
	ignore bool
	// broken is why the policy cannot be evaluated, where it was stored all the same.
	broken error
}

// spec is what both kinds' specifications say.
type spec interface {
	GetParamKind() *v1.ParamKind
	GetMatchConstraints() *v1.MatchResources
	GetVariables() []*v1.Variable
	GetFailurePolicy() string
	GetMatchConditions() []*v1.MatchCondition
}

// compileSubject compiles the common part; the compiler is for the rest.
func compileSubject(name string, s spec, patches bool) (subject, *expr.Compiler) {
	out := subject{name: name, paramKind: s.GetParamKind(), ignore: s.GetFailurePolicy() == "Ignore"}
	c, err := expr.NewCompiler(expr.Options{Params: out.paramKind != nil, Patches: patches})
	if err != nil {
		out.broken = err
		return out, nil
	}
	if out.match, err = hook.ForPolicy(s.GetMatchConstraints()); err != nil {
		out.broken = err
	}
	var errs []error
	for _, v := range s.GetVariables() {
		if err := c.Variable(v.Name, v.Expression); err != nil {
			errs = append(errs, err)
		}
	}
	out.variables = c.Variables()
	var wrong []error
	out.conditions, wrong = c.CompileConditions(s.GetMatchConditions())
	out.fail(errors.Join(append(errs, wrong...)...))
	return out, c
}

func (s *subject) fail(err error) {
	if err != nil {
		s.broken = utilerrors.NewAggregate(append(flatten(s.broken), flatten(err)...))
	}
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	switch e := err.(type) {
	case nil:
		return nil
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	case utilerrors.Aggregate:
		return e.Errors()
	}
	return []error{err}
}

// binding is one binding of a policy.
type binding struct {
	name, policy string
	match        *hook.Match
	ref          *v1.ParamRef
	actions      []string
	broken       error
}

type bindingSpec interface {
	GetPolicyName() string
	GetParamRef() *v1.ParamRef
	GetMatchResources() *v1.MatchResources
}

func compileBinding(name string, s bindingSpec, actions []string) *binding {
	b := &binding{name: name, policy: s.GetPolicyName(), ref: s.GetParamRef(), actions: actions}
	b.match, b.broken = hook.ForPolicy(s.GetMatchResources())
	return b
}

// ofPolicy lists the bindings of a policy.
func ofPolicy(all []*binding, policy string) []*binding {
	var out []*binding
	for _, b := range all {
		if b.policy == policy {
			out = append(out, b)
		}
	}
	return out
}

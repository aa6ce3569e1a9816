package policy

import (
	"context"
	"fmt"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/admission/expr"
	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/apiserver/internal/cel"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/schema"
)

// Config is what the plugins need.
type Config struct {
	// Authorizer answers expressions; nil allows everything.
	Authorizer pipeline.Authorizer
	Logger     *zap.Logger
}

// base is what both kinds' plugins have in common.
type base struct {
	bindings   source[*binding]
	authorizer pipeline.Authorizer
	host       hook.Host
	log        *zap.Logger
}

func newBase(c Config, bindings string) base {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return base{authorizer: c.Authorizer, log: c.Logger, bindings: source[*binding]{resource: bindings, log: c.Logger,
		compile: func(name string, msg proto.Message) *binding {
			if b, ok := msg.(*v1.ValidatingAdmissionPolicyBinding); ok {
				return compileBinding(name, b.GetSpec(), b.GetSpec().GetValidationActions())
			}
			return compileBinding(name, msg.(*v1.MutatingAdmissionPolicyBinding).GetSpec(), nil)
		}}}
}

// Attach implements pipeline.Attacher.
func (b *base) Attach(s *pipeline.Server) { b.host = s }

// idle tells that no policy sees a request.
func (b *base) idle(r *admission.Request) bool { return b.host == nil || hook.Exempt(r) }

// failure is something wrong with a policy or binding itself, or its refusal. A nil binding is the policy's own.
type failure struct {
	policy  *subject
	binding *binding
	reason  string
	err     error
}

// invocation is a policy with one of its bindings and one set of parameters, for a request.
type invocation struct {
	*binding
	kind   *schema.Kind
	params map[string]any
}

// invocations finds how a policy is to be evaluated for a request. What is wrong is told to fail.
func (b *base) invocations(ctx context.Context, s *hook.Subject, p *subject, bindings []*binding, fail func(*binding, error)) []invocation {
	list := ofPolicy(bindings, p.name)
	if len(list) == 0 || p.match == nil {
		return nil
	}
	kind, err := p.match.Of(ctx, s)
	if err != nil {
		fail(nil, fmt.Errorf("failed to configure policy: %w", err))
		return nil
	}
	if kind == nil {
		return nil
	}
	var of *schema.Kind
	if p.paramKind != nil {
		if of, err = paramKind(b.host, p.paramKind); err != nil {
			fail(nil, fmt.Errorf("failed to configure policy: %w", err))
			return nil
		}
	}
	var out []invocation
	for _, bound := range list {
		err := bound.broken
		var k *schema.Kind
		if err == nil {
			k, err = bound.match.Of(ctx, s)
		}
		var found []map[string]any
		if err == nil && k != nil {
			found, err = params(ctx, b.host, of, bound.ref, s.R.Namespace)
		}
		if err != nil {
			fail(bound, fmt.Errorf("failed to configure binding: %w", err))
			continue
		}
		for _, one := range found {
			out = append(out, invocation{binding: bound, kind: kind, params: one})
		}
	}
	return out
}

// start begins an evaluation: it tells whether the policy's conditions hold.
func (p *subject) start(ctx context.Context, in *expr.Input, i invocation) (run *expr.Run, ok bool, err error) {
	if p.broken != nil {
		return nil, false, p.broken
	}
	if len(p.conditions) > 0 {
		ok, err := p.conditions.Hold(in.NewRun(ctx, p.variables, i.params, cel.NewBudget(cel.PerMatchConditions)))
		if err != nil || !ok {
			return nil, false, err
		}
	}
	return in.NewRun(ctx, p.variables, i.params, cel.NewBudget(cel.PerObject)), true, nil
}

package policy

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/admission/expr"
	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/proto/apierrors"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
)

// Mutating enforces MutatingAdmissionPolicies.
type Mutating struct {
	base
	policies source[*mutating]
}

// NewMutating returns the plugin.
func NewMutating(c Config) *Mutating {
	p := &Mutating{base: newBase(c, "mutatingadmissionpolicybindings")}
	p.policies = source[*mutating]{resource: "mutatingadmissionpolicies", log: p.log, compile: func(name string, msg proto.Message) *mutating {
		return compileMutating(name, msg.(*v1.MutatingAdmissionPolicy).GetSpec())
	}}
	return p
}

// Name implements admission.Plugin.
func (*Mutating) Name() string { return "MutatingAdmissionPolicy" }

// memory is what the plugin keeps from one round to the next: which invocations want to see the object again once it
// has changed, and how they left it.
type memory struct {
	again, done map[string]bool
	last        proto.Message
}

func (m *memory) repeat() {
	for id := range m.done {
		m.again[id] = true
	}
	clear(m.done)
}

// Admit implements admission.Plugin.
func (p *Mutating) Admit(ctx context.Context, r *admission.Request) error {
	if p.idle(r) {
		return nil
	}
	policies := p.policies.current(p.host.Access())
	if len(policies) == 0 {
		return nil
	}
	bindings := p.bindings.current(p.host.Access())
	m, _ := r.Notes[p.Name()].(*memory)
	if m == nil {
		m = &memory{again: map[string]bool{}, done: map[string]bool{}}
		r.Note(p.Name(), m)
	}
	if r.Round > 0 && r.Object != nil && m.last != nil && !proto.Equal(m.last, r.Object) {
		m.repeat()
	}
	s := hook.New(r, p.host)
	var failures []failure
	for _, one := range policies {
		fail := func(b *binding, err error) {
			if !one.ignore {
				failures = append(failures, failure{&one.subject, b, "Invalid", err})
			}
		}
		for _, i := range p.invocations(ctx, s, &one.subject, bindings, fail) {
			if err := p.invoke(ctx, s, one, i, m, func(err error) { fail(i.binding, err) }); err != nil {
				return err
			}
		}
	}
	if r.Object != nil {
		m.last = proto.Clone(r.Object)
	}
	return denial(r, failures)
}

// invoke runs a policy's mutations in order, each on what the one before has made.
func (p *Mutating) invoke(ctx context.Context, s *hook.Subject, one *mutating, i invocation, m *memory, fail func(error)) error {
	id := one.name + "/" + i.binding.name + "/" + paramName(i.params)
	if s.R.Object == nil || s.R.Round > 0 && !m.again[id] {
		return nil
	}
	before := proto.Clone(s.R.Object)
	in, err := expr.NewInput(ctx, s, i.kind, p.authorizer)
	if err != nil {
		return err
	}
	_, ok, err := one.start(ctx, in, i)
	if err != nil {
		fail(err)
		return nil
	}
	if !ok {
		return nil
	}
	for _, mutation := range one.mutations {
		err := mutation.apply(ctx, s, p.authorizer, &one.subject, i)
		var status *apierrors.StatusError
		if errors.As(err, &status) {
			return err
		}
		if err != nil {
			fail(err)
		}
	}
	if !proto.Equal(before, s.R.Object) {
		m.repeat()
		s.R.Again = true
	}
	if one.reinvoke {
		m.done[id] = true
	}
	return nil
}

// paramName tells apart the invocations of one binding.
func paramName(params map[string]any) string {
	meta, _ := params["metadata"].(map[string]any)
	return fmt.Sprint(meta["namespace"], "/", meta["name"])
}

// denial is the refusal by policies that failed: the first one's text, all as causes.
func denial(r *admission.Request, failures []failure) error {
	if len(failures) == 0 {
		return nil
	}
	var status *apierrors.StatusError
	if err := refusal(r, "admission request denied by policy", "Invalid"); !errors.As(err, &status) {
		return err
	}
	status.Status.Message, status.Status.Details.Causes = "", nil
	for _, f := range failures {
		text := fmt.Sprintf("policy %q denied request: %v", f.policy.name, f.err)
		if f.binding != nil {
			text = fmt.Sprintf("policy '%s' with binding '%s' denied request: %v", f.policy.name, f.binding.name, f.err)
		}
		if status.Status.Message == "" {
			status.Status.Message = text
		}
		status.Status.Details.Causes = append(status.Status.Details.Causes, &metav1.StatusCause{Message: text})
	}
	return status
}

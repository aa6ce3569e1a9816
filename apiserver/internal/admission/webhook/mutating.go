package webhook

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/schema/merge"
)

// Mutating asks mutating webhooks.
type Mutating struct{ base }

// NewMutating returns the plugin.
func NewMutating(c Config) *Mutating {
	return &Mutating{newBase(c, "mutatingwebhookconfigurations", true)}
}

// Name implements admission.Plugin.
func (*Mutating) Name() string { return "MutatingAdmissionWebhook" }

// memory is what the plugin keeps from one round to the next.
type memory struct {
	// again are the webhooks that want to see the object again where it has changed since.
	again map[string]bool
	// asked are those that want so and have been asked.
	asked map[string]bool
	// last is the object as the last webhook left it.
	last proto.Message
}

// Admit implements admission.Plugin.
func (p *Mutating) Admit(ctx context.Context, r *admission.Request) error {
	all := p.webhooks(r)
	if len(all) == 0 {
		return nil
	}
	m, _ := r.Notes[p.Name()].(*memory)
	if m == nil {
		m = &memory{again: map[string]bool{}, asked: map[string]bool{}}
		r.Note(p.Name(), m)
	}
	if r.Round > 0 && r.Object != nil && m.last != nil && !proto.Equal(m.last, r.Object) {
		m.repeat() // other plugins have changed the object since
	}
	s := hook.New(r, p.host)
	for _, w := range all {
		if r.Round > 0 && !m.again[w.id()] {
			continue
		}
		q, err := p.wants(ctx, s, w)
		if err != nil {
			return err
		}
		if q == nil {
			continue
		}
		start := time.Now()
		changed, err := p.call(ctx, s, q)
		p.observe(q, r, start, err)
		if changed {
			m.repeat()
			r.Again = true
		}
		if w.reinvoke {
			m.asked[w.id()] = true
		}
		if isCallError(err) {
			err = p.failed(ctx, r, q, err)
		}
		if err != nil {
			return err
		}
	}
	if r.Object != nil && len(m.asked) > 0 {
		m.last = proto.Clone(r.Object)
	}
	return nil
}

// repeat asks all again that have been asked and want so.
func (m *memory) repeat() {
	for id := range m.asked {
		m.again[id] = true
	}
	clear(m.asked)
}

// call asks one webhook and does what it says; changed tells whether it changed the object.
func (p *Mutating) call(ctx context.Context, s *hook.Subject, q *question) (changed bool, err error) {
	request, err := q.request(ctx, s)
	if err != nil {
		return false, err
	}
	a, err := p.ask(ctx, q, s.R.DryRun, request)
	if err != nil {
		return false, err
	}
	if err := heed(s.R, q, a); err != nil || len(a.Patch) == 0 {
		return false, err
	}
	return p.apply(ctx, s, q, a)
}

// apply patches the object.
func (p *Mutating) apply(ctx context.Context, s *hook.Subject, q *question, a *answer) (changed bool, err error) {
	if kind := a.PatchType; kind != nil && *kind != "JSONPatch" {
		return false, &callError{q.name, fmt.Errorf("unsupported patch type %q", *kind)}
	}
	if s.R.Object == nil {
		return false, apierrors.NewInternal(fmt.Errorf("admission webhook %q attempted to modify the object, which is not supported for this operation", q.name))
	}
	trees, err := s.Trees(ctx, q.kind)
	if err != nil {
		return false, err
	}
	patched, err := merge.JSON(trees.Object, a.Patch)
	if err != nil {
		return false, apierrors.NewInternal(fmt.Errorf("admission webhook %q: %w", q.name, err))
	}
	if reflect.DeepEqual(patched, trees.Object) {
		return false, nil
	}
	before := proto.Clone(s.R.Object)
	if err := s.SetObject(ctx, patched, q.kind); err != nil {
		return false, err
	}
	return !proto.Equal(before, s.R.Object), nil
}

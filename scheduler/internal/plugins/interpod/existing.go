package interpod

import "github.com/keelson/keelson/scheduler/internal/state"

// existing counts the required anti-affinity terms of the pods that run: such a term also keeps away pods that know
// nothing of it.
type existing struct {
	state   *state.State
	byClass map[*state.Class]*owned
	// generation grows when a class comes or goes.
	generation int64
}

// owned are the terms of the pods of one class; a domain's count is how many of these pods it has.
type owned struct {
	pods  int
	terms []*counts
}

func newExisting(s *state.State) *existing {
	e := &existing{state: s, byClass: map[*state.Class]*owned{}}
	e.Relabelled()
	s.Listen(e)
	return e
}

// PodAdded implements state.Listener.
func (e *existing) PodAdded(p *state.Pod, n *state.Node) { e.count(p, n, 1) }

// PodRemoved implements state.Listener.
func (e *existing) PodRemoved(p *state.Pod, n *state.Node) { e.count(p, n, -1) }

func (e *existing) count(p *state.Pod, n *state.Node, sign int) {
	required := p.Class.Affinity.GetPodAntiAffinity().GetRequiredDuringSchedulingIgnoredDuringExecution()
	if len(required) == 0 {
		return
	}
	o := e.byClass[p.Class]
	if o == nil {
		o = &owned{}
		for _, t := range required {
			o.terms = append(o.terms, &counts{term: compile(t, p.Namespace, p.Labels), byValue: map[string]int{}})
		}
		e.byClass[p.Class] = o
		e.generation++
	}
	for _, t := range o.terms {
		t.add(n, sign)
	}
	if o.pods += sign; o.pods <= 0 {
		delete(e.byClass, p.Class)
		e.generation++
	}
}

// Relabelled implements state.Listener.
func (e *existing) Relabelled() {
	e.byClass = map[*state.Class]*owned{}
	e.generation++
	e.state.Pods(func(p *state.Pod, n *state.Node) { e.count(p, n, 1) })
}

// against returns the terms that mean the pods of a class.
func (e *existing) against(class *state.Class) []*counts {
	var out []*counts
	for _, o := range e.byClass {
		for _, t := range o.terms {
			if t.matches(e.state, class.Namespace, class.Labels) {
				out = append(out, t)
			}
		}
	}
	return out
}

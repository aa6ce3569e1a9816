// Package interpod places pods near to or away from other pods: inter-pod affinity and anti-affinity.
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity
package interpod

import (
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/scheduler/internal/framework"
	"github.com/keelson/keelson/scheduler/internal/state"
)

// Plugin is Kubernetes' InterPodAffinity.
type Plugin struct {
	state    *state.State
	existing *existing
}

// New returns the plugin, which follows the state from now on.
func New(s *state.State) *Plugin { return &Plugin{state: s, existing: newExisting(s)} }

// Name implements framework.TopologyPlugin.
func (*Plugin) Name() string { return "InterPodAffinity" }

// Weight implements framework.TopologyPlugin.
func (*Plugin) Weight() int64 { return 2 }

// Helps implements framework.TopologyPlugin.
func (*Plugin) Helps() framework.Event {
	return framework.NodeChanged | framework.PodGone | framework.PodPlaced
}

// Track implements framework.TopologyPlugin.
func (p *Plugin) Track(class *state.Class) framework.Tracker {
	t := &tracker{plugin: p, class: class, generation: -1}
	own := func(terms []*corev1.PodAffinityTerm) []*counts {
		var out []*counts
		for _, term := range terms {
			out = append(out, &counts{term: compile(term, class.Namespace, class.Labels)})
		}
		return out
	}
	near, apart := class.Affinity.GetPodAffinity(), class.Affinity.GetPodAntiAffinity()
	t.near = own(near.GetRequiredDuringSchedulingIgnoredDuringExecution())
	t.apart = own(apart.GetRequiredDuringSchedulingIgnoredDuringExecution())
	for sign, list := range map[float64][]*corev1.WeightedPodAffinityTerm{
		1: near.GetPreferredDuringSchedulingIgnoredDuringExecution(), -1: apart.GetPreferredDuringSchedulingIgnoredDuringExecution(),
	} {
		for _, w := range list {
			t.preferred = append(t.preferred, own([]*corev1.PodAffinityTerm{w.GetPodAffinityTerm()})...)
			t.weights = append(t.weights, sign*float64(w.GetWeight()))
		}
	}
	t.all = append(append(append(t.all, t.near...), t.apart...), t.preferred...)
	if len(t.all) > 0 {
		t.Relabelled()
		p.state.Listen(t)
	}
	return t
}

// tracker counts, for each term of a class, the pods that the term means.
type tracker struct {
	plugin      *Plugin
	class       *state.Class
	near, apart []*counts
	preferred   []*counts
	weights     []float64
	all         []*counts
	// against are the running pods' terms that mean this class, valid for the generation.
	against    []*counts
	generation int64
}

// PodAdded implements state.Listener.
func (t *tracker) PodAdded(p *state.Pod, n *state.Node) { t.count(p, n, 1) }

// PodRemoved implements state.Listener.
func (t *tracker) PodRemoved(p *state.Pod, n *state.Node) { t.count(p, n, -1) }

func (t *tracker) count(p *state.Pod, n *state.Node, sign int) {
	for _, c := range t.all {
		if c.matches(t.plugin.state, p.Namespace, p.Labels) {
			c.add(n, sign)
		}
	}
}

// Relabelled implements state.Listener.
func (t *tracker) Relabelled() {
	for _, c := range t.all {
		c.reset()
	}
	t.plugin.state.Pods(func(p *state.Pod, n *state.Node) { t.count(p, n, 1) })
}

// Begin implements framework.Tracker.
func (t *tracker) Begin() bool {
	if e := t.plugin.existing; t.generation != e.generation {
		t.against, t.generation = e.against(t.class), e.generation
	}
	return len(t.all) > 0 || len(t.against) > 0
}

// Filter implements framework.Tracker.
func (t *tracker) Filter(n *state.Node) string {
	if !t.nearEnough(n) {
		return "node(s) didn't match pod affinity rules"
	}
	for _, c := range t.apart {
		if count, ok := c.in(n); ok && count > 0 {
			return "node(s) didn't match pod anti-affinity rules"
		}
	}
	for _, c := range t.against {
		if count, ok := c.in(n); ok && count > 0 {
			return "node(s) didn't satisfy existing pods anti-affinity rules"
		}
	}
	return ""
}

// nearEnough tells whether every required affinity term has a pod in the node's domain. The first pod of a group that is
// to stay together finds none: it may go to any domain, if it is itself what its terms mean.
func (t *tracker) nearEnough(n *state.Node) bool {
	missing, nowhere := false, true
	for _, c := range t.near {
		count, ok := c.in(n)
		if !ok {
			return false
		}
		missing = missing || count == 0
		nowhere = nowhere && c.total == 0
	}
	if !missing {
		return true
	}
	if !nowhere {
		return false
	}
	for _, c := range t.near {
		if !c.matches(t.plugin.state, t.class.Namespace, t.class.Labels) {
			return false
		}
	}
	return true
}

// Score implements framework.Tracker.
func (t *tracker) Score(n *state.Node) float64 {
	score := 0.0
	for i, c := range t.preferred {
		count, _ := c.in(n)
		score += t.weights[i] * float64(count)
	}
	return score
}

// Stop implements framework.Tracker.
func (t *tracker) Stop() { t.plugin.state.Unlisten(t) }

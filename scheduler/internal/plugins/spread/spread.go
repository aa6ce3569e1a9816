// Package spread keeps the pods of a group evenly over topology domains.
// https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
package spread

import (
	"math"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/scheduler/internal/framework"
	"github.com/keelson/keelson/scheduler/internal/plugins/affinity"
	"github.com/keelson/keelson/scheduler/internal/plugins/interpod"
	"github.com/keelson/keelson/scheduler/internal/plugins/taints"
	"github.com/keelson/keelson/scheduler/internal/state"
)

// Plugin is Kubernetes' PodTopologySpread.
type Plugin struct{ state *state.State }

// New returns the plugin.
func New(s *state.State) *Plugin { return &Plugin{state: s} }

// Name implements framework.TopologyPlugin.
func (*Plugin) Name() string { return "PodTopologySpread" }

// Weight implements framework.TopologyPlugin.
func (*Plugin) Weight() int64 { return 2 }

// Helps implements framework.TopologyPlugin.
func (*Plugin) Helps() framework.Event {
	return framework.NodeChanged | framework.PodGone | framework.PodPlaced
}

// Track implements framework.TopologyPlugin.
func (p *Plugin) Track(class *state.Class) framework.Tracker {
	t := &tracker{state: p.state, class: class}
	for _, c := range class.Spread {
		selector := interpod.Selector(c.GetLabelSelector())
		for _, key := range c.GetMatchLabelKeys() {
			if v, ok := class.Labels[key]; ok {
				if r, err := labels.NewRequirement(key, selection.In, []string{v}); err == nil {
					selector = selector.Add(*r)
				}
			}
		}
		t.constraints = append(t.constraints, &constraint{spec: c, selector: selector, own: selector.Matches(labels.Set(class.Labels))})
	}
	if len(t.constraints) > 0 {
		p.state.Listen(t)
	}
	t.stale = true
	return t
}

// constraint counts the selected pods of each domain. Only nodes that the constraint's policies let in make domains.
type constraint struct {
	spec     *corev1.TopologySpreadConstraint
	selector labels.Selector
	own      bool // the pods of the class are themselves selected
	byValue  map[string]int
	least    int
}

func (c *constraint) hard() bool { return c.spec.GetWhenUnsatisfiable() != "ScheduleAnyway" }

type tracker struct {
	state       *state.State
	class       *state.Class
	constraints []*constraint
	// stale: labels or nodes changed, count again.
	stale bool
}

// PodAdded implements state.Listener.
func (t *tracker) PodAdded(p *state.Pod, n *state.Node) { t.count(p, n, 1) }

// PodRemoved implements state.Listener.
func (t *tracker) PodRemoved(p *state.Pod, n *state.Node) { t.count(p, n, -1) }

// Relabelled implements state.Listener.
func (t *tracker) Relabelled() { t.stale = true }

func (t *tracker) count(p *state.Pod, n *state.Node, sign int) {
	if t.stale || p.Terminating || p.Namespace != t.class.Namespace {
		return
	}
	for _, c := range t.constraints {
		if value, ok := n.Labels[c.spec.GetTopologyKey()]; ok && c.selector.Matches(labels.Set(p.Labels)) {
			if _, domain := c.byValue[value]; domain && t.lets(c, n) {
				c.byValue[value] += sign
			}
		}
	}
}

// lets tells whether a node counts for a constraint: by default its labels must fit the pods' node affinity, its taints
// are not looked at, and it must have the topology keys of all hard constraints.
func (t *tracker) lets(c *constraint, n *state.Node) bool {
	for _, other := range t.constraints {
		if _, ok := n.Labels[other.spec.GetTopologyKey()]; !ok && other.hard() == c.hard() {
			return false
		}
	}
	if c.spec.GetNodeAffinityPolicy() != "Ignore" && !affinity.Matches(t.class, n) {
		return false
	}
	if c.spec.GetNodeTaintsPolicy() == "Honor" {
		for _, taint := range n.Taints {
			if taint.GetEffect() != "PreferNoSchedule" && !taints.Tolerates(t.class.Tolerations, taint) {
				return false
			}
		}
	}
	return true
}

func (t *tracker) recount() {
	for _, c := range t.constraints {
		c.byValue = map[string]int{}
		for i := range int32(t.state.Len()) {
			n := t.state.Node(i)
			if value, ok := n.Labels[c.spec.GetTopologyKey()]; ok && n.Name != "" && t.lets(c, n) {
				c.byValue[value] += 0
			}
		}
	}
	t.stale = false
	t.state.Pods(func(p *state.Pod, n *state.Node) { t.count(p, n, 1) })
}

// Begin implements framework.Tracker.
func (t *tracker) Begin() bool {
	if len(t.constraints) == 0 {
		return false
	}
	if t.stale {
		t.recount()
	}
	for _, c := range t.constraints {
		c.least = math.MaxInt
		for _, count := range c.byValue {
			c.least = min(c.least, count)
		}
		// With fewer domains than minDomains, an empty one is thought of.
		if len(c.byValue) == 0 || (c.spec.MinDomains != nil && len(c.byValue) < int(c.spec.GetMinDomains())) {
			c.least = 0
		}
	}
	return true
}

// Filter implements framework.Tracker.
func (t *tracker) Filter(n *state.Node) string {
	for _, c := range t.constraints {
		if !c.hard() {
			continue
		}
		value, ok := n.Labels[c.spec.GetTopologyKey()]
		if !ok {
			return "node(s) didn't match pod topology spread constraints (missing required label)"
		}
		count := c.byValue[value]
		if c.own {
			count++
		}
		if count-c.least > int(c.spec.GetMaxSkew()) {
			return "node(s) didn't match pod topology spread constraints"
		}
	}
	return ""
}

// Score implements framework.Tracker: fewer selected pods in the node's domains are better; a domain kind with many
// domains weighs more, as in Kubernetes.
func (t *tracker) Score(n *state.Node) float64 {
	score := 0.0
	for _, c := range t.constraints {
		if c.hard() {
			continue
		}
		value, ok := n.Labels[c.spec.GetTopologyKey()]
		if !ok {
			return math.Inf(-1)
		}
		score -= float64(c.byValue[value])*math.Log(float64(len(c.byValue)+2)) + float64(c.spec.GetMaxSkew()-1)
	}
	return score
}

// Stop implements framework.Tracker.
func (t *tracker) Stop() { t.state.Unlisten(t) }

// Package decide chooses a node for a pod: a pure function of the state, with every refusal explained.
package decide

import (
	"math"

	"github.com/keelson/keelson/scheduler/internal/framework"
	"github.com/keelson/keelson/scheduler/internal/plugins/affinity"
	"github.com/keelson/keelson/scheduler/internal/plugins/fit"
	"github.com/keelson/keelson/scheduler/internal/plugins/interpod"
	"github.com/keelson/keelson/scheduler/internal/plugins/ports"
	"github.com/keelson/keelson/scheduler/internal/plugins/replicas"
	"github.com/keelson/keelson/scheduler/internal/plugins/spread"
	"github.com/keelson/keelson/scheduler/internal/plugins/taints"
	"github.com/keelson/keelson/scheduler/internal/state"
)

// maxEvaluations bounds the memory of kept evaluations; the one that was not used for longest goes.
const maxEvaluations = 256

// Decider chooses nodes over one state.
type Decider struct {
	state       *state.State
	node        []framework.NodePlugin
	topology    []framework.TopologyPlugin
	evaluations map[*state.Class]*evaluation
	clock       int64
}

// New returns a Decider with all plugins. Filters run in the order of the list: what is cheap and final comes first.
func New(s *state.State) *Decider {
	return &Decider{
		state: s,
		node: []framework.NodePlugin{
			taints.Unschedulable{}, taints.Plugin{}, affinity.Plugin{}, ports.Plugin{}, fit.Plugin{}, fit.Balanced{}, replicas.Plugin{},
		},
		topology:    []framework.TopologyPlugin{spread.New(s), interpod.New(s)},
		evaluations: map[*state.Class]*evaluation{},
	}
}

// Place returns the slot of the best node for a pod of the class, or why there is none.
func (d *Decider) Place(class *state.Class) (slot int32, refusal *Refusal) {
	e := d.evaluation(class)
	e.refresh(d.state)
	active := make([]tracked, 0, len(e.trackers))
	for _, t := range e.trackers {
		if t.Begin() {
			active = append(active, t)
		}
	}
	switch {
	case len(e.heap) == 0:
		return -1, d.refuse(e, nil)
	case len(active) == 0:
		return e.heap[0], nil
	}
	return d.placeAmong(e, active)
}

// placeAmong asks the topology plugins about every node that the node plugins let through.
func (d *Decider) placeAmong(e *evaluation, active []tracked) (int32, *Refusal) {
	refused := map[int32]refusedBy{}
	feasible := make([]int32, 0, len(e.heap))
next:
	for _, slot := range e.heap {
		n := d.state.Node(slot)
		for _, t := range active {
			if reason := t.Filter(n); reason != "" {
				refused[slot] = refusedBy{reason, t.helps}
				continue next
			}
		}
		feasible = append(feasible, slot)
	}
	if len(feasible) == 0 {
		return -1, d.refuse(e, refused)
	}
	total := make([]float64, len(feasible))
	for i, slot := range feasible {
		total[i] = float64(e.nodes[slot].score)
	}
	for _, t := range active {
		addNormalised(total, float64(t.weight)*framework.MaxScore, func(i int) float64 { return t.Score(d.state.Node(feasible[i])) })
	}
	best := 0
	for i := range total {
		if total[i] > total[best] || (total[i] == total[best] && feasible[i] < feasible[best]) {
			best = i
		}
	}
	return feasible[best], nil
}

// addNormalised stretches raw scores to 0..scale over the feasible nodes; minus infinity counts as the worst.
func addNormalised(total []float64, scale float64, raw func(int) float64) {
	values := make([]float64, len(total))
	low, high := math.Inf(1), math.Inf(-1)
	for i := range total {
		values[i] = raw(i)
		if !math.IsInf(values[i], 0) {
			low, high = min(low, values[i]), max(high, values[i])
		}
	}
	if high <= low {
		// No node is better than another; those without the label stay behind.
		low = high - 1
	}
	for i, v := range values {
		if !math.IsInf(v, 0) {
			total[i] += scale * (v - low) / (high - low)
		}
	}
}

func (d *Decider) evaluation(class *state.Class) *evaluation {
	d.clock++
	if e, ok := d.evaluations[class]; ok {
		e.lastUsed = d.clock
		return e
	}
	if len(d.evaluations) >= maxEvaluations {
		d.evictOldest()
	}
	e := &evaluation{sequence: -1, lastUsed: d.clock}
	for _, p := range d.node {
		if f := p.Filter(class); f != nil {
			e.filters = append(e.filters, filter{f, p.Helps()})
		}
		if sc := p.Score(class); sc != nil && p.Weight() > 0 {
			e.scores = append(e.scores, score{sc, p.Weight()})
		}
	}
	for _, p := range d.topology {
		e.trackers = append(e.trackers, tracked{p.Track(class), p.Weight(), p.Helps()})
	}
	d.evaluations[class] = e
	return e
}

func (d *Decider) evictOldest() {
	var oldest *state.Class
	for class, e := range d.evaluations {
		if oldest == nil || e.lastUsed < d.evaluations[oldest].lastUsed {
			oldest = class
		}
	}
	for _, t := range d.evaluations[oldest].trackers {
		t.Stop()
	}
	delete(d.evaluations, oldest)
}

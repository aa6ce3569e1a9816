package decide

import (
	"github.com/keelson/keelson/scheduler/internal/framework"
	"github.com/keelson/keelson/scheduler/internal/state"
)

// evaluation is what the node plugins say of every node for one class: the feasible nodes in a heap by score, the others
// with their reasons. It is kept between pods and brought up to date node by node, so that the thousandth replica costs
// the re-evaluation of the one node that the one before it went to.
type evaluation struct {
	filters []filter
	scores  []score
	// sequence is the number of the first change that is not taken in yet.
	sequence int64
	nodes    []verdict
	// heap holds the slots of feasible nodes, the best first; verdict.place is a slot's index in it.
	heap     []int32
	trackers []tracked
	lastUsed int64
}

type filter struct {
	run   framework.Filter
	helps framework.Event
}

type score struct {
	run    framework.Score
	weight int64
}

type tracked struct {
	framework.Tracker
	weight int64
	helps  framework.Event
}

// verdict is what is known of one node.
type verdict struct {
	score   int64
	place   int32 // index in the heap; -1: not feasible
	reasons []string
	helps   framework.Event
}

// refresh takes in what changed since the last call.
func (e *evaluation) refresh(s *state.State) {
	changed, ok := s.Since(e.sequence)
	if !ok || len(changed) > s.Len() {
		changed = nil
		for i := range int32(s.Len()) {
			e.look(s, i)
		}
	}
	for _, slot := range changed {
		e.look(s, slot)
	}
	e.sequence = s.Sequence()
}

// look evaluates one node.
func (e *evaluation) look(s *state.State, slot int32) {
	for int(slot) >= len(e.nodes) {
		e.nodes = append(e.nodes, verdict{place: -1})
	}
	v, n := &e.nodes[slot], s.Node(slot)
	v.reasons, v.helps, v.score = nil, 0, 0
	if n.Name != "" {
		for _, f := range e.filters {
			if reasons := f.run(n); len(reasons) > 0 {
				// The first plugin that refuses speaks, as in Kubernetes.
				v.reasons, v.helps = reasons, f.helps
				break
			}
		}
	}
	if n.Name == "" || len(v.reasons) > 0 {
		e.remove(slot)
		return
	}
	for _, sc := range e.scores {
		v.score += sc.weight * sc.run(n)
	}
	if v.place < 0 {
		v.place = int32(len(e.heap))
		e.heap = append(e.heap, slot)
	}
	e.fix(v.place)
}

func (e *evaluation) remove(slot int32) {
	place := e.nodes[slot].place
	if place < 0 {
		return
	}
	last := int32(len(e.heap) - 1)
	e.swap(place, last)
	e.heap = e.heap[:last]
	e.nodes[slot].place = -1
	if place < last {
		e.fix(place)
	}
}

// better orders the heap; the lower slot wins a tie, so that a decision depends on nothing but the state.
func (e *evaluation) better(a, b int32) bool {
	sa, sb := e.nodes[e.heap[a]].score, e.nodes[e.heap[b]].score
	return sa > sb || (sa == sb && e.heap[a] < e.heap[b])
}

func (e *evaluation) swap(a, b int32) {
	e.heap[a], e.heap[b] = e.heap[b], e.heap[a]
	e.nodes[e.heap[a]].place, e.nodes[e.heap[b]].place = a, b
}

func (e *evaluation) fix(i int32) {
	for i > 0 && e.better(i, (i-1)/2) {
		e.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		best := i
		for child := 2*i + 1; child <= 2*i+2 && int(child) < len(e.heap); child++ {
			if e.better(child, best) {
				best = child
			}
		}
		if best == i {
			return
		}
		e.swap(i, best)
		i = best
	}
}

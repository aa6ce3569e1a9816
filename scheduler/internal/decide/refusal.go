package decide

import (
	"fmt"
	"sort"
	"strings"

	"github.com/keelson/keelson/scheduler/internal/framework"
)

// Refusal says why a pod can run nowhere.
type Refusal struct {
	// Message is for people: "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu."
	Message string
	// Helps are the events after which it may be different.
	Helps framework.Event
}

type refusedBy struct {
	reason string
	helps  framework.Event
}

// refuse counts the reasons over all nodes. byTopology holds the nodes that only a topology plugin refused.
func (d *Decider) refuse(e *evaluation, byTopology map[int32]refusedBy) *Refusal {
	if d.state.Live() == 0 {
		return &Refusal{Message: "no nodes available to schedule pods", Helps: framework.NodeChanged}
	}
	counts := map[string]int{}
	helps := framework.NodeChanged
	for slot := range e.nodes {
		v := &e.nodes[slot]
		for _, reason := range v.reasons {
			counts[reason]++
		}
		helps |= v.helps
		if r, ok := byTopology[int32(slot)]; ok {
			counts[r.reason]++
			helps |= r.helps
		}
	}
	parts := make([]string, 0, len(counts))
	for reason, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, reason))
	}
	sort.Strings(parts)
	return &Refusal{
		Message: fmt.Sprintf("0/%d nodes are available: %s.", d.state.Live(), strings.Join(parts, ", ")),
		Helps:   helps,
	}
}

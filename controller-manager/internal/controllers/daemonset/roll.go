package daemonset

import (
	"maps"
	"slices"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// pair returns the pods of a node that stay, by template.
func (p *planner) pair(node string) (fresh, old *corev1.Pod) {
	for _, pod := range p.on[node] {
		switch {
		case deleting(pod) || slices.Contains(p.out.remove, pod):
		case p.updated(pod):
			fresh = pod
		default:
			old = pod
		}
	}
	return fresh, old
}

// roll replaces pods of the old template, as far as the strategy allows.
func (p *planner) roll() {
	if p.surge > 0 {
		p.rollOver()
		return
	}
	// Pods are deleted first and replaced then. Those that are unavailable anyway cost nothing.
	unavailable := 0
	var candidates []*corev1.Pod
	for _, node := range slices.Sorted(maps.Keys(p.run)) {
		fresh, old := p.pair(node)
		switch {
		case fresh == nil && old == nil:
			unavailable++
		case fresh != nil:
			if !p.available(fresh) {
				unavailable++
			}
		case p.available(old):
			candidates = append(candidates, old)
		default:
			unavailable++
			p.removeAll([]*corev1.Pod{old})
		}
	}
	p.removeAll(candidates[:max(min(p.most-unavailable, len(candidates)), 0)])
}

// rollOver gives nodes a second pod, of the new template, on so many nodes at once as the surge allows; tidy takes the
// first one away when the second is available. Where the first is unavailable nothing is lost, so the surge does not count.
func (p *planner) rollOver() {
	busy := 0
	var free, candidates []string
	for _, node := range slices.Sorted(maps.Keys(p.run)) {
		fresh, old := p.pair(node)
		switch {
		case old == nil:
		case fresh == nil && !p.available(old):
			free = append(free, node)
		case fresh == nil:
			candidates = append(candidates, node)
		case !p.available(fresh):
			busy++
		}
	}
	p.out.create = append(p.out.create, free...)
	p.out.create = append(p.out.create, candidates[:max(min(p.surge-busy, len(candidates)), 0)]...)
}

package state

import (
	"maps"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// SetNode adds a node or takes its new form over. It returns whether anything that decides about pods changed: a
// heartbeat does not.
func (s *State) SetNode(n *corev1.Node) bool {
	name := n.GetMetadata().GetName()
	slot, known := s.byName[name]
	if !known {
		slot = s.slot()
		s.byName[name] = slot
		s.nodes[slot] = Node{Name: name, Pods: map[string]*Pod{}, Ports: Ports{}, Alike: map[*Class]int{}}
		s.live++
	}
	node := &s.nodes[slot]
	allocatable := ParseResources(n.GetStatus().GetAllocatable())
	// Taints count as labels here: a topology spread constraint may leave tainted nodes out.
	relabelled := !known || !maps.Equal(node.Labels, n.GetMetadata().GetLabels()) || !equalTaints(node.Taints, n.GetSpec().GetTaints())
	if known && !relabelled && equalResources(&node.Allocatable, &allocatable) &&
		node.Unschedulable == n.GetSpec().GetUnschedulable() {
		return false
	}
	node.Labels, node.Taints = n.GetMetadata().GetLabels(), n.GetSpec().GetTaints()
	node.Unschedulable, node.Allocatable = n.GetSpec().GetUnschedulable(), allocatable
	s.touch(slot)
	if relabelled {
		for l := range s.listeners {
			l.Relabelled()
		}
	}
	return true
}

// RemoveNode takes a node away; its pods hold no room from then on.
func (s *State) RemoveNode(name string) {
	slot, ok := s.byName[name]
	if !ok {
		return
	}
	for _, p := range s.nodes[slot].Pods {
		s.Remove(p.UID)
	}
	delete(s.byName, name)
	s.nodes[slot] = Node{}
	s.free = append(s.free, slot)
	s.live--
	s.touch(slot)
	for l := range s.listeners {
		l.Relabelled()
	}
}

func (s *State) slot() int32 {
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		return slot
	}
	s.nodes = append(s.nodes, Node{})
	return int32(len(s.nodes) - 1)
}

func equalResources(a, b *Resources) bool {
	return a.MilliCPU == b.MilliCPU && a.Memory == b.Memory && a.Ephemeral == b.Ephemeral && a.Pods == b.Pods &&
		maps.Equal(a.Extended, b.Extended)
}

func equalTaints(a, b []*corev1.Taint) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].GetKey() != b[i].GetKey() || a[i].GetValue() != b[i].GetValue() || a[i].GetEffect() != b[i].GetEffect() {
			return false
		}
	}
	return true
}

package state

// Assume gives a pod room on a node before the API server has confirmed it.
func (s *State) Assume(p *Pod, slot int32) {
	p.Assumed = true
	s.add(p, slot)
}

// Confirm says that the pod holds room on the named node. It returns false where the node is not known (yet).
func (s *State) Confirm(p *Pod, node string) bool {
	slot, ok := s.byName[node]
	if !ok {
		s.Remove(p.UID)
		return false
	}
	if old, held := s.pods[p.UID]; held {
		if old.Node == slot && old.Class == p.Class && old.Terminating == p.Terminating {
			old.Assumed = false
			return true
		}
		s.Remove(p.UID)
	}
	p.Assumed = false
	s.add(p, slot)
	return true
}

// Forget takes an assumed pod's room back; a confirmed one keeps it.
func (s *State) Forget(uid string) {
	if p, ok := s.pods[uid]; ok && p.Assumed {
		s.Remove(uid)
	}
}

// Remove frees the room of a pod. It returns whether it held any.
func (s *State) Remove(uid string) bool {
	p, ok := s.pods[uid]
	if !ok {
		return false
	}
	n := &s.nodes[p.Node]
	delete(s.pods, uid)
	delete(n.Pods, uid)
	n.Requested.Add(&p.Class.Requests, -1)
	n.Ranked.Add(&p.Class.Ranked, -1)
	n.Ports.Remove(p.Class.Ports)
	if n.Alike[p.Class]--; n.Alike[p.Class] <= 0 {
		delete(n.Alike, p.Class)
	}
	s.touch(p.Node)
	for l := range s.listeners {
		l.PodRemoved(p, n)
	}
	return true
}

func (s *State) add(p *Pod, slot int32) {
	p.Node = slot
	n := &s.nodes[slot]
	s.pods[p.UID] = p
	n.Pods[p.UID] = p
	n.Requested.Add(&p.Class.Requests, 1)
	n.Ranked.Add(&p.Class.Ranked, 1)
	n.Ports.Add(p.Class.Ports)
	n.Alike[p.Class]++
	s.touch(slot)
	for l := range s.listeners {
		l.PodAdded(p, n)
	}
}

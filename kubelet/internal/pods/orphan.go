package pods

// orphanWait waits for the ends of containers that have no actor.
type orphanWait struct {
	left map[string]bool
	done chan struct{}
}

// waitOrphan registers a wait; the manager's lock is held.
func (m *Manager) waitOrphan(w *orphanWait) { m.waits = append(m.waits, w) }

// exit notes the end of a container; the manager's lock is held.
func (w *orphanWait) exit(id string) {
	if !w.left[id] {
		return
	}
	delete(w.left, id)
	if len(w.left) == 0 {
		close(w.done)
	}
}

package pipeline

import "sync"

// acks are the open watches whose clients say what they have acted on.
type acks struct {
	mu      sync.Mutex
	watches map[string]map[*Watch]struct{}
}

func (a *acks) add(w *Watch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.watches == nil {
		a.watches = map[string]map[*Watch]struct{}{}
	}
	if a.watches[w.name] == nil {
		a.watches[w.name] = map[*Watch]struct{}{}
	}
	a.watches[w.name][w] = struct{}{}
}

func (a *acks) remove(w *Watch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.watches[w.name], w)
	if len(a.watches[w.name]) == 0 {
		delete(a.watches, w.name)
	}
}

// Acknowledged returns, for each acknowledger that watches a kind through this server, the revision up to which it has
// acted.
func (s *Server) Acknowledged(group, resource string) map[string]int64 {
	s.acks.mu.Lock()
	defer s.acks.mu.Unlock()
	out := map[string]int64{}
	for name, watches := range s.acks.watches {
		for w := range watches {
			if w.res.kind.Group != group || w.res.kind.Plural != resource {
				continue
			}
			// Of several watches the slowest counts.
			if have, ok := out[name]; !ok || w.acted.Load() < have {
				out[name] = w.acted.Load()
			}
		}
	}
	return out
}

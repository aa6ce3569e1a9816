package garbagecollector

import "sync"

// remembered bounds how many UIDs of vanished objects are known; a forgotten one costs a question to the server.
const remembered = 50_000

// memory knows the UIDs of objects that were seen to be gone. UIDs never come back, so it is never wrong.
type memory struct {
	mu    sync.Mutex
	known map[string]bool
	order []string // a ring once full
	next  int
}

func newMemory() *memory { return &memory{known: map[string]bool{}} }

func (m *memory) add(uid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if uid == "" || m.known[uid] {
		return
	}
	m.known[uid] = true
	if len(m.order) < remembered {
		m.order = append(m.order, uid)
		return
	}
	delete(m.known, m.order[m.next])
	m.order[m.next] = uid
	m.next = (m.next + 1) % remembered
}

func (m *memory) has(uid string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[uid]
}

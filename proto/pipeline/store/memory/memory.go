// Package memory is a store.Store in the process's memory: true revisions, history and compaction, leases, watches.
// It is what component tests and the in-memory API server run on; nothing survives the process.
package memory

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/google/btree"

	"github.com/keelson/keelson/proto/pipeline/store"
)

// maxHistory bounds the events kept for watches and reads of the past: when there are so many, the older half is
// compacted. A watcher that lags further behind gets store.ErrCompacted, as with any store.
const maxHistory = 1 << 17

// Store is a store.Store in memory.
type Store struct {
	mu sync.RWMutex
	// revision is that of the last write; compacted the oldest that reads may ask for.
	revision, compacted int64
	keys                *btree.BTreeG[*history]
	// log holds all changes after compaction, in order; changed is closed and replaced when it grows.
	log     []store.Event
	changed chan struct{}
	closed  bool
}

// history is what is known of one key: its states in order of revision.
type history struct {
	key      string
	versions []version
	expiry   *time.Timer
}

// version is one state of a key; gone is a deletion.
type version struct {
	revision int64
	value    []byte
	gone     bool
}

// New returns an empty store at revision 1, as a new etcd.
func New() *Store {
	return &Store{
		revision: 1, compacted: 0,
		keys:    btree.NewG(32, func(a, b *history) bool { return a.key < b.key }),
		changed: make(chan struct{}),
	}
}

// at returns the key's state at a revision; ok is false where it had no value.
func (h *history) at(revision int64) (version, bool) {
	for i := len(h.versions) - 1; i >= 0; i-- {
		if h.versions[i].revision <= revision {
			return h.versions[i], !h.versions[i].gone
		}
	}
	return version{}, false
}

func (s *Store) current(key string) (*history, version, bool) {
	h, ok := s.keys.Get(&history{key: key})
	if !ok {
		return nil, version{}, false
	}
	v, ok := h.at(s.revision)
	return h, v, ok
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string) (store.KV, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.KV{}, store.ErrClosed
	}
	_, v, ok := s.current(key)
	if !ok {
		return store.KV{}, store.ErrNotFound
	}
	return store.KV{Key: key, Value: v.value, Revision: v.revision}, nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, r store.Range) (store.RangeResult, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rev := r.Revision
	switch {
	case s.closed:
		return store.RangeResult{}, store.ErrClosed
	case rev == 0:
		rev = s.revision
	case rev > s.revision:
		return store.RangeResult{}, store.ErrFutureRevision
	case rev < s.compacted:
		return store.RangeResult{}, store.ErrCompacted
	}
	out := store.RangeResult{Revision: s.revision}
	from := max(r.Prefix, r.Start)
	s.keys.AscendGreaterOrEqual(&history{key: from}, func(h *history) bool {
		if !strings.HasPrefix(h.key, r.Prefix) {
			return false
		}
		if v, ok := h.at(rev); ok {
			out.Count++
			if r.Limit == 0 || len(out.KVs) < r.Limit {
				out.KVs = append(out.KVs, store.KV{Key: h.key, Value: v.value, Revision: v.revision})
			}
		}
		return true
	})
	return out, nil
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, store.ErrClosed
	}
	h, _, ok := s.current(key)
	if ok {
		return 0, store.ErrExists
	}
	return s.put(h, key, value, ttl), nil
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, key string, value []byte, expected int64, ttl time.Duration) (int64, store.KV, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, kv, err := s.expect(key, expected)
	if err != nil {
		return 0, kv, err
	}
	return s.put(h, key, value, ttl), store.KV{}, nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string, expected int64) (int64, store.KV, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, kv, err := s.expect(key, expected)
	if err != nil {
		return 0, kv, err
	}
	return s.remove(h), store.KV{}, nil
}

func (s *Store) expect(key string, expected int64) (*history, store.KV, error) {
	if s.closed {
		return nil, store.KV{}, store.ErrClosed
	}
	h, v, ok := s.current(key)
	if !ok {
		return nil, store.KV{}, store.ErrNotFound
	}
	if v.revision != expected {
		return nil, store.KV{Key: key, Value: v.value, Revision: v.revision}, store.ErrConflict
	}
	return h, store.KV{}, nil
}

func (s *Store) put(h *history, key string, value []byte, ttl time.Duration) int64 {
	if h == nil {
		h = &history{key: strings.Clone(key)}
		s.keys.ReplaceOrInsert(h)
	}
	s.revision++
	h.versions = append(h.versions, version{revision: s.revision, value: value})
	h.cancelExpiry()
	if ttl > 0 {
		rev := s.revision
		h.expiry = time.AfterFunc(ttl, func() { s.expire(h, rev) })
	}
	s.publish(store.Event{Type: store.Put, KV: store.KV{Key: h.key, Value: value, Revision: s.revision}})
	return s.revision
}

func (s *Store) remove(h *history) int64 {
	s.revision++
	h.versions = append(h.versions, version{revision: s.revision, gone: true})
	h.cancelExpiry()
	s.publish(store.Event{Type: store.Delete, KV: store.KV{Key: h.key, Revision: s.revision}})
	return s.revision
}

func (h *history) cancelExpiry() {
	if h.expiry != nil {
		h.expiry.Stop()
		h.expiry = nil
	}
}

// expire removes a key whose time is over, unless it has been written since.
func (s *Store) expire(h *history, revision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := h.at(s.revision); ok && v.revision == revision && !s.closed {
		s.remove(h)
	}
}

func (s *Store) publish(e store.Event) {
	s.log = append(s.log, e)
	close(s.changed)
	s.changed = make(chan struct{})
	if len(s.log) > maxHistory {
		s.compact(s.log[len(s.log)/2].KV.Revision)
	}
}

// Revision implements store.Store.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, store.ErrClosed
	}
	return s.revision, nil
}

// Compact implements store.Store.
func (s *Store) Compact(ctx context.Context, revision int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return store.ErrClosed
	case revision <= s.compacted:
		return store.ErrCompacted
	case revision > s.revision:
		return store.ErrFutureRevision
	}
	s.compact(revision)
	return nil
}

func (s *Store) compact(revision int64) {
	s.compacted = revision
	n := 0
	for n < len(s.log) && s.log[n].KV.Revision < revision {
		n++
	}
	s.log = append([]store.Event(nil), s.log[n:]...)
	var dead []*history
	s.keys.Ascend(func(h *history) bool {
		// The last state at or before the revision is still what a read at the revision sees.
		keep := 0
		for i, v := range h.versions {
			if v.revision <= revision {
				keep = i
			}
		}
		h.versions = append([]version(nil), h.versions[keep:]...)
		if len(h.versions) == 1 && h.versions[0].gone && h.versions[0].revision <= revision {
			dead = append(dead, h)
		}
		return true
	})
	for _, h := range dead {
		s.keys.Delete(h)
	}
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.changed)
	s.keys.Ascend(func(h *history) bool {
		h.cancelExpiry()
		return true
	})
	return nil
}

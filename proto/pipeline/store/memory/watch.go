package memory

import (
	"context"
	"sort"
	"strings"
	"sync"

	"github.com/keelson/keelson/proto/pipeline/store"
)

// batchEvents bounds what one Next returns, so that a watcher far behind does not hold the lock for long.
const batchEvents = 1024

// watcher reads the store's log at its own pace.
type watcher struct {
	s      *Store
	prefix string
	next   int64
	done   chan struct{}
	once   sync.Once
}

// Watch implements store.Store.
func (s *Store) Watch(ctx context.Context, prefix string, from int64) (store.Watcher, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	if from == 0 {
		from = s.revision + 1
	}
	return &watcher{s: s, prefix: prefix, next: from, done: make(chan struct{})}, nil
}

// Next implements store.Watcher.
func (w *watcher) Next(ctx context.Context) (store.Batch, error) {
	for {
		b, changed, err := w.read()
		if err != nil || b.Revision > 0 {
			return b, err
		}
		select {
		case <-changed:
		case <-w.done:
			return store.Batch{}, store.ErrClosed
		case <-ctx.Done():
			return store.Batch{}, ctx.Err()
		}
	}
}

// read returns what has happened since the last call, or a channel that is closed when there is more.
func (w *watcher) read() (store.Batch, <-chan struct{}, error) {
	s := w.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	select {
	case <-w.done:
		return store.Batch{}, nil, store.ErrClosed
	default:
	}
	switch {
	case s.closed:
		return store.Batch{}, nil, store.ErrClosed
	case w.next < s.compacted:
		return store.Batch{}, nil, store.ErrCompacted
	case w.next > s.revision:
		return store.Batch{}, s.changed, nil
	}
	i := sort.Search(len(s.log), func(i int) bool { return s.log[i].KV.Revision >= w.next })
	b := store.Batch{Revision: s.revision}
	for ; i < len(s.log); i++ {
		if len(b.Events) == batchEvents {
			b.Revision = s.log[i].KV.Revision - 1
			break
		}
		if strings.HasPrefix(s.log[i].KV.Key, w.prefix) {
			b.Events = append(b.Events, s.log[i])
		}
	}
	w.next = b.Revision + 1
	return b, nil, nil
}

// Close implements store.Watcher.
func (w *watcher) Close() { w.once.Do(func() { close(w.done) }) }

package controller

import (
	"context"
	"fmt"
	"sync"
)

// Source is a cache that a controller reads; an informer is one.
type Source interface {
	// WaitForSync returns once the cache holds a complete state.
	WaitForSync(ctx context.Context) error
	// WaitFor returns once the cache has seen everything up to the revision.
	WaitFor(ctx context.Context, revision int64) error
}

// fence remembers, for each key, the highest revision that its reconciliations wrote to each cache.
type fence[K comparable] struct {
	mu     sync.Mutex
	writes map[K]map[Source]int64
}

func newFence[K comparable]() *fence[K] {
	return &fence[K]{writes: map[K]map[Source]int64{}}
}

func (f *fence[K]) wrote(key K, src Source, revision int64) {
	if revision == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.writes[key]
	if m == nil {
		m = map[Source]int64{}
		f.writes[key] = m
	}
	m[src] = max(m[src], revision)
}

// wait returns once every cache has reached what the key wrote to it. A wait that fails keeps the rest for next time.
func (f *fence[K]) wait(ctx context.Context, key K) error {
	for {
		src, revision, ok := f.next(key)
		if !ok {
			return nil
		}
		if err := src.WaitFor(ctx, revision); err != nil {
			return fmt.Errorf("waiting for the cache to reach revision %d: %w", revision, err)
		}
		f.reached(key, src, revision)
	}
}

func (f *fence[K]) next(key K) (Source, int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for src, revision := range f.writes[key] {
		return src, revision, true
	}
	return nil, 0, false
}

func (f *fence[K]) reached(key K, src Source, revision int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.writes[key]
	if m[src] > revision {
		return
	}
	delete(m, src)
	if len(m) == 0 {
		delete(f.writes, key)
	}
}

package informer

import "context"

// waiter is a call of WaitFor under way.
type waiter struct {
	revision int64
	done     chan struct{}
	// covered says that a snapshot was asked for after the call began: whatever its revision, it shows what was
	// written before the call. Servers that were restored from a backup may never reach the revision itself.
	covered bool
}

// WaitForSync returns once the store holds the collection and handlers have seen it.
func (i *Informer[T]) WaitForSync(ctx context.Context) error {
	select {
	case <-i.synced:
		return nil
	case <-i.stopped:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Synced is closed when WaitForSync would return nil.
func (i *Informer[T]) Synced() <-chan struct{} { return i.synced }

// WaitFor returns once the store shows every change up to the revision, which some answer of the server named. Where
// no change comes by itself (the write was of another kind, or does not match the selectors) it asks the server how
// far it is. While there is no server it waits for one.
func (i *Informer[T]) WaitFor(ctx context.Context, revision int64) error {
	i.mu.Lock()
	if i.revision >= revision && i.revision > 0 {
		i.mu.Unlock()
		return nil
	}
	w := &waiter{revision: revision, done: make(chan struct{})}
	i.waiters[w] = struct{}{}
	i.mu.Unlock()
	defer func() {
		i.mu.Lock()
		delete(i.waiters, w)
		i.mu.Unlock()
	}()
	signal(i.progress)
	select {
	case <-w.done:
		return nil
	case <-i.stopped:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// advance notes how far the store is and releases who waited for that. Call with the lock held.
func (i *Informer[T]) advance(revision int64) {
	i.revision = max(i.revision, revision)
	i.release(func(w *waiter) bool { return w.revision <= i.revision })
}

func (i *Informer[T]) release(ready func(*waiter) bool) {
	for w := range i.waiters {
		if ready(w) {
			close(w.done)
			delete(i.waiters, w)
		}
	}
}

// waiting tells whether anybody waits for a revision.
func (i *Informer[T]) waiting() bool {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return len(i.waiters) > 0
}

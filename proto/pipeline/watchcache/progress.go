package watchcache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// progress is a revision that only grows, and those who wait for it.
type progress struct {
	revision atomic.Int64
	mu       sync.Mutex
	// moved is closed and replaced when the revision grows; waiting says whether anybody looks at it.
	moved   chan struct{}
	waiting bool
}

func (p *progress) init() { p.moved = make(chan struct{}) }

func (p *progress) load() int64 { return p.revision.Load() }

func (p *progress) advance(revision int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if revision <= p.revision.Load() {
		return
	}
	p.revision.Store(revision)
	if p.waiting {
		close(p.moved)
		p.moved, p.waiting = make(chan struct{}), false
	}
}

func (p *progress) wait(ctx context.Context, revision int64) error {
	for p.revision.Load() < revision {
		p.mu.Lock()
		if p.revision.Load() >= revision {
			p.mu.Unlock()
			return nil
		}
		moved := p.moved
		p.waiting = true
		p.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// askTimeout bounds a question that several callers share: none of their contexts can.
const askTimeout = 10 * time.Second

// batcher lets callers that come while a question is under way share the next one: an answer must not be older than
// the call, thus nobody may take the answer to a question that was asked before.
type batcher struct {
	ask  func(context.Context) (int64, error)
	mu   sync.Mutex
	next *question
	busy bool
}

type question struct {
	done   chan struct{}
	answer int64
	err    error
}

func (b *batcher) do(ctx context.Context) (int64, error) {
	b.mu.Lock()
	if !b.busy {
		// Nobody asks: ask at once, alone.
		b.busy = true
		b.mu.Unlock()
		answer, err := b.ask(ctx)
		b.release()
		return answer, err
	}
	q := b.next
	if q == nil {
		q = &question{done: make(chan struct{})}
		b.next = q
	}
	b.mu.Unlock()
	select {
	case <-q.done:
		return q.answer, q.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// release lets the questions that have gathered be asked, as one. It runs them in a goroutine of its own, which ends
// when nobody is left; each has callers that wait for it.
func (b *batcher) release() {
	b.mu.Lock()
	q := b.next
	b.next = nil
	b.busy = q != nil
	b.mu.Unlock()
	if q == nil {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
		defer cancel()
		q.answer, q.err = b.ask(ctx)
		close(q.done)
		b.release()
	}()
}

// Package queue is the work queue of reconcilers. A key is handed to one worker at a time, however often it is added;
// one that is added while a worker has it comes again afterwards. Keys can be delayed, and backed off by their own
// failures.
//
//	Add ─► waiting ─► Get ─► in work ─► Done ─► gone
//	          ▲                 │ Add meanwhile
//	          └──── Done ◄──────┘
package queue

import (
	"context"
	"sync"
	"time"
)

// Defaults of Options.
const (
	DefaultBaseDelay = 5 * time.Millisecond
	DefaultMaxDelay  = 1000 * time.Second
)

// Options of a queue.
type Options struct {
	// Name labels the queue's metrics; empty for none.
	Name string
	// BaseDelay is the first back-off of AddRateLimited, doubled by each further failure up to MaxDelay.
	BaseDelay, MaxDelay time.Duration
}

// Queue hands keys to workers. Safe for concurrent use.
type Queue[K comparable] struct {
	options Options
	metrics metrics

	mu       sync.Mutex
	order    []K             // waiting, oldest first
	dirty    map[K]time.Time // waiting, or added while in work; since when
	working  map[K]time.Time // handed out; since when
	failures map[K]int       // since the last Forget
	delayed  delays[K]       // not waiting yet
	timer    *time.Timer     // fires for the first of delayed
	ready    chan struct{}   // capacity 1: order is not empty
	idle     chan struct{}   // closed when a shut down queue has no key left
	done     chan struct{}   // closed by ShutDown
	closed   bool
}

// New returns a queue.
func New[K comparable](o Options) *Queue[K] {
	if o.BaseDelay <= 0 {
		o.BaseDelay = DefaultBaseDelay
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = DefaultMaxDelay
	}
	return &Queue[K]{
		options: o, metrics: metricsFor(o.Name),
		dirty: map[K]time.Time{}, working: map[K]time.Time{}, failures: map[K]int{},
		delayed: delays[K]{at: map[K]*delay[K]{}},
		ready:   make(chan struct{}, 1), idle: make(chan struct{}), done: make(chan struct{}),
	}
}

// Add lets a worker have the key.
func (q *Queue[K]) Add(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(key)
}

func (q *Queue[K]) add(key K) {
	if q.closed {
		return
	}
	if _, ok := q.dirty[key]; ok {
		return
	}
	q.metrics.added()
	q.dirty[key] = time.Now()
	if _, ok := q.working[key]; ok {
		return // Done puts it in line
	}
	q.enqueue(key)
}

func (q *Queue[K]) enqueue(key K) {
	q.order = append(q.order, key)
	q.metrics.depth(len(q.order))
	signal(q.ready)
}

// Get returns the next key, waiting for one; false once the context ended or the queue is shut down and empty. Call
// Done with the key.
func (q *Queue[K]) Get(ctx context.Context) (K, bool) {
	for {
		if key, ok := q.take(); ok {
			return key, true
		}
		select {
		case <-q.ready:
		case <-q.done:
			return q.take() // what came before the shutdown is still worked on
		case <-ctx.Done():
			var none K
			return none, false
		}
	}
}

func (q *Queue[K]) take() (key K, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		return key, false
	}
	key = q.order[0]
	var none K
	q.order[0] = none
	q.order = q.order[1:]
	now := time.Now()
	q.metrics.waited(now.Sub(q.dirty[key]))
	q.metrics.depth(len(q.order))
	delete(q.dirty, key)
	q.working[key] = now
	if len(q.order) > 0 {
		signal(q.ready) // the next worker
	}
	return key, true
}

// Done says that a worker is through with the key.
func (q *Queue[K]) Done(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	since, ok := q.working[key]
	if !ok {
		return
	}
	q.metrics.worked(time.Since(since))
	delete(q.working, key)
	if _, again := q.dirty[key]; again {
		q.enqueue(key)
	}
	q.checkIdle()
}

// Len returns how many keys wait.
func (q *Queue[K]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.order)
}

// ShutDown refuses further keys and forgets delayed ones. Workers still get what waits, then Get returns false.
func (q *Queue[K]) ShutDown() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	q.delayed = delays[K]{at: map[K]*delay[K]{}}
	if q.timer != nil {
		q.timer.Stop()
	}
	close(q.done)
	q.checkIdle()
}

// Drain shuts the queue down and waits until no key waits or is in work.
func (q *Queue[K]) Drain(ctx context.Context) error {
	q.ShutDown()
	select {
	case <-q.idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (q *Queue[K]) checkIdle() {
	if !q.closed || len(q.working) > 0 || len(q.order) > 0 {
		return
	}
	select {
	case <-q.idle:
	default:
		close(q.idle)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

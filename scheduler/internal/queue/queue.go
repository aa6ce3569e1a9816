// Package queue orders the pods that wait for a node.
//
//	           Add                        Pop
//	(absent) ───────▶ active ─────────────────────▶ (being decided)
//	                    ▲  ▲                          │         │ Requeue (an error)
//	     back-off over  │  └── back-off ◀─────────────┼─────────┘
//	                    │          ▲                  │ Park (no node fits)
//	                    │          │ Happened         ▼
//	                    └──────────┴──────────── unschedulable
//
// Remove takes a pod out of any place. A parked pod waits for an event that could help it, or for parkLimit to pass.
package queue

import (
	"container/heap"
	"context"
	"sync"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/scheduler/internal/framework"
)

const (
	// initialBackoff and maxBackoff bound how long a pod that failed is left alone (Kubernetes' podInitialBackoffSeconds
	// and podMaxBackoffSeconds).
	initialBackoff = time.Second
	maxBackoff     = 10 * time.Second
	// parkLimit is how long a pod stays parked without any event: the safety net against a missed one.
	parkLimit = 5 * time.Minute
)

// Item is a waiting pod.
type Item struct {
	Pod      *corev1.Pod
	attempts int
	since    time.Time // first seen
	tried    time.Time // last Pop
	ready    time.Time // end of back-off or of parking
	helps    framework.Event
	place    place
	index    int
	// popped is the number of events before the last Pop.
	popped int64
}

type place uint8

const (
	deciding place = iota
	active
	backoff
	parked
)

// Queue is safe for concurrent use.
type Queue struct {
	mu     sync.Mutex
	wake   chan struct{}
	items  map[string]*Item // by UID
	active ordered
	later  ordered // back-off and parked, by ready
	// events counts what happened; last is the number of the latest event of each sort. Together they tell what a pod
	// missed while it was being decided, without a look at every pod at every event.
	events int64
	last   map[framework.Event]int64
}

// New returns an empty queue.
func New() *Queue {
	return &Queue{
		wake:   make(chan struct{}, 1),
		items:  map[string]*Item{},
		last:   map[framework.Event]int64{},
		active: ordered{less: moreUrgent},
		later:  ordered{less: func(a, b *Item) bool { return a.ready.Before(b.ready) }},
	}
}

// moreUrgent orders by priority, then by how long a pod has waited.
func moreUrgent(a, b *Item) bool {
	pa, pb := a.Pod.GetSpec().GetPriority(), b.Pod.GetSpec().GetPriority()
	return pa > pb || (pa == pb && a.since.Before(b.since))
}

// Add takes a pod in, or its new form: a parked pod that was changed is tried at once.
func (q *Queue) Add(pod *corev1.Pod) {
	q.mu.Lock()
	defer q.mu.Unlock()
	uid := pod.GetMetadata().GetUid()
	it, ok := q.items[uid]
	if !ok {
		it = &Item{since: time.Now()}
		q.items[uid] = it
	}
	it.Pod = pod
	switch {
	case !ok, it.place == parked:
		q.move(it, active)
	case it.place == active:
		heap.Fix(&q.active, it.index)
	}
}

// Remove takes a pod out.
func (q *Queue) Remove(uid string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if it, ok := q.items[uid]; ok {
		q.detach(it)
		delete(q.items, uid)
	}
}

// Pop waits for the most urgent pod.
func (q *Queue) Pop(ctx context.Context) (*Item, error) {
	for {
		q.mu.Lock()
		wait := q.promote()
		if q.active.Len() > 0 {
			it := q.active.items[0]
			q.detach(it)
			it.place, it.popped, it.tried = deciding, q.events, time.Now()
			it.attempts++
			q.mu.Unlock()
			return it, nil
		}
		q.mu.Unlock()
		if err := q.sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// promote moves what is due to active and returns how long the next takes; negative: nothing waits for time.
func (q *Queue) promote() time.Duration {
	now := time.Now()
	for q.later.Len() > 0 {
		it := q.later.items[0]
		if wait := it.ready.Sub(now); wait > 0 {
			return wait
		}
		q.move(it, active)
	}
	return -1
}

func (q *Queue) sleep(ctx context.Context, wait time.Duration) error {
	var due <-chan time.Time
	if wait >= 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-q.wake:
	case <-due:
	}
	return nil
}

// Park puts a popped pod aside until one of the events happens.
func (q *Queue) Park(it *Item, helps framework.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.current(it) {
		return
	}
	it.helps = helps
	for e, number := range q.last {
		if e&helps != 0 && number > it.popped {
			q.move(it, backoff)
			return
		}
	}
	q.move(it, parked)
}

// Requeue tries a popped pod again after its back-off.
func (q *Queue) Requeue(it *Item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.current(it) {
		q.move(it, backoff)
	}
}

// current tells whether the item is still the one of its pod and nobody has moved it since Pop.
func (q *Queue) current(it *Item) bool {
	return q.items[it.Pod.GetMetadata().GetUid()] == it && it.place == deciding
}

// Happened tells of an event; the pods it could help are tried again once their back-off is over.
func (q *Queue) Happened(e framework.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events++
	q.last[e] = q.events
	var helped []*Item
	for _, it := range q.later.items {
		if it.place == parked && it.helps&e != 0 {
			helped = append(helped, it)
		}
	}
	for _, it := range helped {
		q.move(it, backoff)
	}
}

// Len is the number of waiting pods, for metrics: active, in back-off, parked.
func (q *Queue) Len() (activePods, backoffPods, parkedPods int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items {
		switch it.place {
		case active:
			activePods++
		case backoff:
			backoffPods++
		case parked:
			parkedPods++
		}
	}
	return activePods, backoffPods, parkedPods
}

func (q *Queue) move(it *Item, to place) {
	q.detach(it)
	it.place = to
	switch to {
	case active:
		heap.Push(&q.active, it)
	case backoff:
		// Counted from the last try: a pod that was parked for longer is tried at once.
		wait := initialBackoff << min(max(it.attempts-1, 0), 10)
		it.ready = it.tried.Add(min(wait, maxBackoff))
		heap.Push(&q.later, it)
	case parked:
		it.ready = time.Now().Add(parkLimit)
		heap.Push(&q.later, it)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *Queue) detach(it *Item) {
	switch it.place {
	case active:
		heap.Remove(&q.active, it.index)
	case backoff, parked:
		heap.Remove(&q.later, it.index)
	}
	it.place = deciding
}

// ordered is a heap of items.
type ordered struct {
	items []*Item
	less  func(a, b *Item) bool
}

func (o *ordered) Len() int           { return len(o.items) }
func (o *ordered) Less(i, j int) bool { return o.less(o.items[i], o.items[j]) }
func (o *ordered) Swap(i, j int) {
	o.items[i], o.items[j] = o.items[j], o.items[i]
	o.items[i].index, o.items[j].index = i, j
}
func (o *ordered) Push(x any) {
	it := x.(*Item)
	it.index = len(o.items)
	o.items = append(o.items, it)
}
func (o *ordered) Pop() any {
	last := o.items[len(o.items)-1]
	o.items = o.items[:len(o.items)-1]
	return last
}

package queue

import (
	"container/heap"
	"time"
)

// delay is a key that is not due yet.
type delay[K comparable] struct {
	key   K
	due   time.Time
	place int
}

// delays is a heap of delays, the first due on top, with one for each key.
type delays[K comparable] struct {
	heap []*delay[K]
	at   map[K]*delay[K]
}

func (d *delays[K]) Len() int           { return len(d.heap) }
func (d *delays[K]) Less(i, j int) bool { return d.heap[i].due.Before(d.heap[j].due) }

func (d *delays[K]) Swap(i, j int) {
	d.heap[i], d.heap[j] = d.heap[j], d.heap[i]
	d.heap[i].place, d.heap[j].place = i, j
}

// Push implements heap.Interface.
func (d *delays[K]) Push(x any) {
	e := x.(*delay[K])
	e.place = len(d.heap)
	d.heap = append(d.heap, e)
	d.at[e.key] = e
}

// Pop implements heap.Interface.
func (d *delays[K]) Pop() any {
	last := len(d.heap) - 1
	e := d.heap[last]
	d.heap[last] = nil
	d.heap = d.heap[:last]
	delete(d.at, e.key)
	return e
}

// AddAfter adds the key when the time has passed. Of several delays of one key the earliest counts.
func (q *Queue[K]) AddAfter(key K, after time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.addAfter(key, after)
}

func (q *Queue[K]) addAfter(key K, after time.Duration) {
	if q.closed {
		return
	}
	if after <= 0 {
		q.add(key)
		return
	}
	due := time.Now().Add(after)
	if e, ok := q.delayed.at[key]; !ok {
		heap.Push(&q.delayed, &delay[K]{key: key, due: due})
	} else if due.Before(e.due) {
		e.due = due
		heap.Fix(&q.delayed, e.place)
	}
	q.arm()
}

// arm sets the timer for the first delay.
func (q *Queue[K]) arm() {
	if q.delayed.Len() == 0 {
		return
	}
	wait := time.Until(q.delayed.heap[0].due)
	if q.timer == nil {
		q.timer = time.AfterFunc(wait, q.mature)
		return
	}
	q.timer.Reset(wait)
}

// mature adds what is due.
func (q *Queue[K]) mature() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for q.delayed.Len() > 0 && !q.delayed.heap[0].due.After(now) {
		q.add(heap.Pop(&q.delayed).(*delay[K]).key)
	}
	q.arm()
}

// AddRateLimited adds the key after a failure: later with each one until Forget.
func (q *Queue[K]) AddRateLimited(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.failures[key]
	q.failures[key] = n + 1
	q.metrics.retried()
	q.addAfter(key, q.backoff(n))
}

// backoff returns the delay after n failures before this one.
func (q *Queue[K]) backoff(n int) time.Duration {
	d := q.options.BaseDelay
	for ; n > 0 && d < q.options.MaxDelay; n-- {
		d *= 2
	}
	return min(d, q.options.MaxDelay)
}

// Forget starts the key's back-off over, after a success.
func (q *Queue[K]) Forget(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.failures, key)
}

// Failures returns how often the key has been added by AddRateLimited since it was forgotten.
func (q *Queue[K]) Failures(key K) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failures[key]
}

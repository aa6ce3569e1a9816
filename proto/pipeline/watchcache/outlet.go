package watchcache

import "sync"

// Outlet is what the events of one watcher or several leave by: a connection. The dispatcher calls Begin, lets each
// watcher that has events add them, and calls End. None of that may wait for whoever reads at the other end.
type Outlet interface {
	// Begin returns false where nothing can be added now; it is not followed by End then.
	Begin() bool
	// End sends what was added since Begin.
	End()
}

// Take adds events to the watcher's outlet and returns how many of them, from the first on. more says that the outlet's
// next turn may take those that are left; otherwise the watcher's Next returns them. It does not keep the slice.
type Take func(events []Event) (n int, more bool)

// Direct has the dispatcher bring events to an outlet while a goroutine waits in Next: that one is woken only for what
// take does not take. It is called before the first Next. The outlet is compared by ==.
func (w *Watcher) Direct(o Outlet, take Take) {
	l := w.c.cache.dispatch.line(o)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line, w.take = l, take
}

// line is an outlet with the watchers that have something for it.
type line struct {
	d      *dispatcher
	outlet Outlet
	// users is how many watchers use it; under the dispatcher's lock.
	users int

	mu    sync.Mutex
	ready []*Watcher
	// due is set while the line is in the dispatcher's queue or being served.
	due bool
	// served is the array of the last ready, of which only the line's server knows.
	served []*Watcher
}

// add notes that watchers have events.
func (l *line) add(ws ...*Watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = append(l.ready, ws...)
	if !l.due {
		l.due = true
		l.d.add(l)
	}
}

// serve brings the events that there are to the outlet. A line is served by one goroutine at a time.
func (l *line) serve() {
	l.mu.Lock()
	ready := l.ready
	l.ready = l.served[:0]
	l.mu.Unlock()
	open := l.outlet.Begin()
	again := ready[:0]
	for _, w := range ready {
		if w.deliver(open) {
			again = append(again, w)
		}
	}
	if open {
		l.outlet.End()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = append(l.ready, again...)
	clear(ready)
	l.served = ready
	if l.due = len(l.ready) > 0; l.due {
		l.d.add(l)
	}
}

// deliver offers the watcher's events to its outlet, if that is open; again says that it wants another turn. Whoever
// waits in Next is woken for events that the outlet does not take.
func (w *Watcher) deliver(open bool) (again bool) {
	w.mu.Lock()
	w.listed = false
	if !open || w.own || w.err != nil || len(w.queue) == 0 {
		w.wake()
		w.mu.Unlock()
		return false
	}
	events := w.queue
	w.queue, w.spare, w.taking = w.spare, nil, true
	w.mu.Unlock()
	n, more := w.offered(events)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taking = false
	clear(events[:n])
	switch rest := events[n:]; {
	case w.err != nil:
		w.queue = nil
	case len(rest) > 0:
		// What came meanwhile is later.
		later := w.queue
		w.queue = append(rest, later...)
		w.keep(later)
	default:
		w.keep(events)
	}
	switch {
	case w.leaving || w.err != nil || len(w.queue) > 0 && !more:
		w.wake()
	case len(w.queue) > 0 && !w.listed:
		w.listed, again = true, true
	}
	return again
}

// keep uses an array for the next events, unless a burst has made it large.
func (w *Watcher) keep(events []Event) {
	if cap(events) <= initialChunk {
		clear(events)
		w.spare = events[:0]
	}
}

// offered calls take. A panic there is left to the goroutine in Next, which meets the same event: it has somebody who
// catches it.
func (w *Watcher) offered(events []Event) (n int, more bool) {
	defer func() {
		if v := recover(); v != nil {
			n, more = 0, false
		}
	}()
	return w.take(events)
}

package watchcache

import (
	"runtime"
	"sync"
)

// dispatcher writes events for watchers that have an outlet: a few goroutines, which find everything that they need in
// the processor's caches, in place of one for each watcher that has to be woken.
type dispatcher struct {
	mu    sync.Mutex
	lines map[Outlet]*line
	// queue, from head on, holds the lines that have something to send.
	queue []*line
	head  int
	// idle servers wait for wake.
	idle   int
	wake   *sync.Cond
	closed bool
}

const (
	// backlog is how many lines one server may have before itself until another one helps.
	backlog = 16
	// yieldAfter is after how many lines a server lets other goroutines run: some of them wait for this change too.
	yieldAfter = 16
)

func newDispatcher() *dispatcher {
	d := &dispatcher{lines: map[Outlet]*line{}}
	d.wake = sync.NewCond(&d.mu)
	return d
}

// servers is how many goroutines serve lines. They leave room for those who make the changes.
func servers() int { return (runtime.GOMAXPROCS(0) + 1) / 2 }

// line returns an outlet's line. Each call is followed by one of release.
func (d *dispatcher) line(o Outlet) *line {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lines[o]
	if l == nil {
		l = &line{d: d, outlet: o}
		d.lines[o] = l
	}
	l.users++
	return l
}

func (d *dispatcher) release(l *line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(d.lines, l.outlet)
	}
}

// add queues a line.
func (d *dispatcher) add(l *line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, l)
	if d.idle > 0 && len(d.queue)-d.head == 1 {
		d.wake.Signal()
	}
}

// next waits for a line; nil is the end.
func (d *dispatcher) next() *line {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.head == len(d.queue) && !d.closed {
		d.idle++
		d.wake.Wait()
		d.idle--
	}
	if d.closed {
		return nil
	}
	l := d.queue[d.head]
	d.queue[d.head] = nil
	if d.head++; d.head == len(d.queue) {
		d.queue, d.head = d.queue[:0], 0
	}
	if d.idle > 0 && len(d.queue)-d.head >= backlog {
		d.wake.Signal()
	}
	return l
}

// serve serves lines until the end.
func (d *dispatcher) serve() {
	for n := 1; ; n++ {
		l := d.next()
		if l == nil {
			return
		}
		l.serve()
		if n%yieldAfter == 0 {
			runtime.Gosched()
		}
	}
}

func (d *dispatcher) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.wake.Broadcast()
}

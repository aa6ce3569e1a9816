package watchcache

import (
	"context"
	"sync"

	"github.com/keelson/keelson/proto/pipeline/item"
)

// EventType is what happened, from the watcher's point of view: an object that begins to match its selectors is added,
// one that no longer does is deleted.
type EventType uint8

// Event types.
const (
	Added EventType = iota + 1
	Modified
	Deleted
	Bookmark
)

// Event is one event of a watcher.
type Event struct {
	Type EventType
	// Item is nil for a bookmark; for Deleted it is the last state that the watcher could see.
	Item     *item.Item
	Revision int64
	// InitialEnd marks the bookmark that ends the initial state.
	InitialEnd bool
}

// initialChunk is how many objects of the initial state one Next returns.
const initialChunk = 512

// Options say what a watcher wants to see.
type Options struct {
	// Namespace; empty is all.
	Namespace string
	// Match further restricts the objects; nil is all. It must be quick: it is called under the collection's lock.
	Match func(*item.Item) bool
	// Field and Value, where set, say that Match requires this field to have this value.
	Field, Value string
	// Initial asks for the current state as Added events first; After is ignored.
	Initial bool
	// InitialEnd asks for a bookmark after the initial state.
	InitialEnd bool
	// After starts with the changes after a revision.
	After int64
	// Lenient leaves out of the initial state what cannot be read; others are refused where it concerns them.
	Lenient bool
	// Bookmarks asks for a bookmark now and then.
	Bookmarks bool
}

// name is the only object name that the watcher can see; empty is any.
func (o *Options) name() string {
	if o.Field == "metadata.name" {
		return o.Value
	}
	return ""
}

// Watcher receives a kind's changes in order. Methods may be called concurrently, Next from one goroutine at a time.
type Watcher struct {
	c *Collection
	o Options
	// asked tells whether the watcher is among the cache's askers; under their lock.
	asked bool
	// removed from the collection's watchers; under the collection's lock.
	removed bool

	// initial state not delivered yet; used by Next only.
	snapshot *Snapshot
	next     Position

	mu    sync.Mutex
	queue []Event
	err   error
	// own is set while no goroutine waits in Next: what is queued is for its next call.
	own bool
	// line is the outlet's, where the watcher has one; take brings events to it. listed is set while the watcher is among
	// the line's, taking while take runs. spare is an array for queue.
	line           *line
	take           Take
	listed, taking bool
	spare          []Event
	// leaving says that the goroutine in Next waits only for the end of take.
	leaving bool
	// ready holds a token when there is something in queue or err that is for Next.
	ready chan struct{}
}

// Watch starts a watcher. ErrTooOld where it would have to start before the recent changes.
func (c *Collection) Watch(o Options) (*Watcher, error) {
	w := &Watcher{c: c, o: o, own: true, ready: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cache.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if c.gone {
		return nil, ErrEnded
	}
	if o.Initial {
		w.snapshot = c.snapshotLocked()
		if err := w.snapshot.Check(o.Namespace, o.name()); err != nil && !o.Lenient {
			return nil, err
		}
	} else if !c.recent.after(o.After, w.offer) {
		return nil, ErrTooOld
	}
	c.watchers.add(w)
	return w, nil
}

// Oldest is the earliest revision from which a watch can start.
func (c *Collection) Oldest() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.recent.oldest
}

func (w *Watcher) matches(it *item.Item) bool {
	return it != nil && (w.o.Namespace == "" || w.o.Namespace == it.Namespace) && (w.o.Match == nil || w.o.Match(it))
}

// offer queues a change if the watcher can see it. The collection's lock is held.
func (w *Watcher) offer(ch *change) {
	now, before := w.matches(ch.item), w.matches(ch.old)
	switch {
	case now && before:
		w.push(Event{Type: Modified, Item: ch.item, Revision: ch.revision})
	case now:
		w.push(Event{Type: Added, Item: ch.item, Revision: ch.revision})
	case before:
		w.push(Event{Type: Deleted, Item: ch.gone(), Revision: ch.revision})
	}
}

func (w *Watcher) push(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	if len(w.queue) >= w.c.cache.cfg.Buffer {
		w.err, w.queue = ErrTooSlow, nil
		w.c.cutOff.Add(1)
	} else {
		w.queue = append(w.queue, e)
		if w.line != nil && !w.own {
			if !w.listed {
				w.listed = true
				w.line.add(w)
			}
			return
		}
	}
	w.wake()
}

// cut ends the watcher where the collection's lock is held.
func (w *Watcher) cut(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err, w.queue = err, nil
	}
	w.wake()
}

func (w *Watcher) wake() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

func (w *Watcher) end(err error) {
	w.c.mu.Lock()
	w.c.watchers.remove(w)
	w.c.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err, w.queue = err, nil
	}
	w.wake()
}

// Close ends the watcher; Next returns ErrClosed.
func (w *Watcher) Close() {
	w.end(ErrClosed)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.line != nil {
		w.line.d.release(w.line)
		w.line = nil
	}
}

// Progress asks for a bookmark at the store's current revision or a later one. Requests that are not answered yet when
// another comes count as one with it.
func (w *Watcher) Progress() { w.c.cache.ask(w) }

// Next blocks until there are events and returns all that are there, reusing buf. Errors are final. Where the watcher has
// an outlet, they are those that it does not take; nothing is brought to it between two calls.
func (w *Watcher) Next(ctx context.Context, buf []Event) ([]Event, error) {
	if cap(buf) > initialChunk {
		buf = nil // a burst must not keep its memory for ever
	}
	buf = buf[:0]
	if w.snapshot != nil {
		if buf = w.initial(buf); len(buf) > 0 {
			return buf, nil
		}
	}
	done := ctx.Done()
	for {
		if out, over, err := w.poll(ctx, buf); over {
			return out, err
		}
		select {
		case <-w.ready:
		case <-done:
			done = nil
		}
	}
}

// poll ends Next where there is a reason: events, an error or the context's end, but not while the outlet takes events.
func (w *Watcher) poll(ctx context.Context, buf []Event) (out []Event, over bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.own, w.leaving = false, false
	switch {
	case w.taking:
		w.leaving = ctx.Err() != nil
		return nil, false, nil
	case w.err != nil:
		err = w.err
	case len(w.queue) > 0:
		out, w.queue = w.queue, buf
	case ctx.Err() != nil:
		err = ctx.Err()
	default:
		return nil, false, nil
	}
	w.own = true
	return out, true, err
}

// initial returns the next part of the initial state; empty when it is over and no bookmark is wanted.
func (w *Watcher) initial(buf []Event) []Event {
	more := false
	w.snapshot.Walk(w.o.Namespace, w.next, func(it *item.Item) bool {
		if len(buf) == initialChunk {
			w.next, more = Position{it.Namespace, it.Name}, true
			return false
		}
		if w.matches(it) {
			buf = append(buf, Event{Type: Added, Item: it, Revision: it.Revision})
		}
		return true
	})
	if more {
		return buf
	}
	if w.o.InitialEnd {
		buf = append(buf, Event{Type: Bookmark, Revision: w.snapshot.Revision, InitialEnd: true})
	}
	w.snapshot = nil
	return buf
}

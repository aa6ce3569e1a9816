package pipeline

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
)

// Watch is an open watch. Its methods may be called from several goroutines, Next from one at a time.
type Watch struct {
	s        *Server
	res      *resource
	w        *watchcache.Watcher
	deadline time.Time
	name     string
	// acted is the highest revision acknowledged.
	acted  atomic.Int64
	buf    []watchcache.Event
	events []Event
	items  []*Item
}

// Watch opens a watch. The caller closes it.
func (s *Server) Watch(ctx context.Context, req *resourcev1.WatchOpen) (*Watch, error) {
	res, f, err := s.collection(ctx, req.GetSelection(), "watch")
	if err != nil {
		return nil, err
	}
	if err := checkWatchMatch(req); err != nil {
		return nil, err
	}
	rv := req.GetResourceVersion()
	o := watchcache.Options{
		Namespace: f.namespace, Match: f.match(), Bookmarks: req.GetAllowBookmarks(),
		Initial: rv == "" || rv == "0" || req.GetSendInitialEvents(), InitialEnd: req.GetSendInitialEvents(),
	}
	o.Field, o.Value = f.exact()
	if err := s.fresh(ctx, rv); err != nil {
		return nil, err
	}
	if o.After, err = parseVersion(rv); err != nil {
		return nil, err
	}
	o.Lenient = lenient(ctx)
	w, err := res.objects.Watch(o)
	if errors.Is(err, watchcache.ErrTooOld) {
		return nil, apierrors.NewTooOldResourceVersion(o.After, res.objects.Oldest())
	} else if errors.Is(err, watchcache.ErrEnded) {
		return nil, apierrors.NewUnknownResource(res.kind.Group, res.kind.Plural)
	} else if err != nil {
		return nil, res.readError(watchError(err))
	}
	out := &Watch{s: s, res: res, w: w, name: req.GetAcknowledger()}
	if t := req.GetTimeoutSeconds(); t > 0 {
		out.deadline = time.Now().Add(time.Duration(t) * time.Second)
	}
	if out.name != "" {
		s.acks.add(out)
	}
	return out, nil
}

func checkWatchMatch(req *resourcev1.WatchOpen) error {
	m := req.GetResourceVersionMatch()
	switch {
	case m == "":
		return nil
	case !req.GetSendInitialEvents():
		return apierrors.NewInvalid("meta.k8s.io", "ListOptions", "", causes("FieldValueForbidden", "resourceVersionMatch",
			"Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
	case m != "NotOlderThan":
		return apierrors.NewInvalid("meta.k8s.io", "ListOptions", "", causes("FieldValueForbidden", "sendInitialEvents",
			"Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
	}
	return nil
}

func watchError(err error) error {
	switch {
	case errors.As(err, new(*watchcache.UnreadableError)):
		return err
	case errors.Is(err, watchcache.ErrTooSlow):
		return apierrors.NewResourceExpired("the watch was cut off because its events were not read in time; list again")
	case errors.Is(err, watchcache.ErrClosed):
		return apierrors.NewServiceUnavailable("the watch is closed")
	}
	return storeError(err)
}

// Next blocks until there are events and returns at least one; the slice is valid until the next call. Errors are
// final: io.EOF at the end of the time asked for, 410 Expired where the watcher is too slow, the context's.
func (w *Watch) Next(ctx context.Context) ([]Event, error) {
	if !w.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, w.deadline, io.EOF)
		defer cancel()
	}
	events, err := w.w.Next(ctx, w.buf)
	if err != nil {
		if context.Cause(ctx) == io.EOF || errors.Is(err, watchcache.ErrEnded) {
			return nil, io.EOF
		}
		return nil, watchError(err)
	}
	w.begin()
	for _, e := range events {
		if e.Item != nil {
			w.items = append(w.items, e.Item)
		}
	}
	if err := w.res.views(ctx, w.items); err != nil {
		return nil, err
	}
	next := 0
	for _, e := range events {
		var it *Item
		if e.Item != nil {
			it = w.items[next]
			next++
		}
		w.show(e, it)
	}
	clear(w.items)
	clear(events)
	w.buf = events
	return w.events, nil
}

// begin forgets the events of before.
func (w *Watch) begin() {
	clear(w.events)
	w.events, w.items = w.events[:0], w.items[:0]
}

func (w *Watch) show(e watchcache.Event, it *Item) {
	w.events = append(w.events, Event{Type: eventTypes[e.Type], Item: it, Revision: e.Revision, InitialEventsEnd: e.InitialEnd})
}

// Outlet is what the events of one watch or several leave by: a connection.
type Outlet = watchcache.Outlet

// most is how many events are offered to an outlet at once.
const most = 64

// Direct has events brought to an outlet while Next waits, which then returns only those that the outlet does not take; see
// watchcache.Take. It is called before the first Next.
func (w *Watch) Direct(o Outlet, take func([]Event) (n int, more bool)) {
	w.w.Direct(o, func(events []watchcache.Event) (int, bool) {
		w.begin()
		known := true
		for _, e := range events[:min(len(events), most)] {
			var it *Item
			if it, known = w.res.known(e.Item); !known {
				break
			}
			w.show(e, it)
		}
		if len(w.events) == 0 {
			return 0, false
		}
		n, more := take(w.events)
		return n, more && (known || n < len(w.events))
	})
}

var eventTypes = [...]resourcev1.EventType{
	watchcache.Added:    resourcev1.EventType_EVENT_TYPE_ADDED,
	watchcache.Modified: resourcev1.EventType_EVENT_TYPE_MODIFIED,
	watchcache.Deleted:  resourcev1.EventType_EVENT_TYPE_DELETED,
	watchcache.Bookmark: resourcev1.EventType_EVENT_TYPE_BOOKMARK,
}

// Progress asks for a bookmark at the current revision; it comes through Next.
func (w *Watch) Progress() { w.w.Progress() }

// Acknowledge says that the watcher has acted on everything up to a revision.
func (w *Watch) Acknowledge(revision int64) {
	for {
		old := w.acted.Load()
		if revision <= old || w.acted.CompareAndSwap(old, revision) {
			return
		}
	}
}

// Close ends the watch.
func (w *Watch) Close() {
	if w.name != "" {
		w.s.acks.remove(w)
	}
	w.w.Close()
}

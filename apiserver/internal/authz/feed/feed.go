// Package feed keeps small views of the store current inside the API server: one watch a kind, opened through the
// pipeline like anybody's, taken up again after every break, and answering how far it has come.
//
// Authorization and authentication decide by such views. A view lags behind the store by the time an event takes
// within the process; Set.CatchUp lets a decision that would refuse somebody wait until the view has seen everything
// that was written before the question, so that nobody is refused what was granted a moment ago.
package feed

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Stream is an open watch; *pipeline.Watch is one.
type Stream interface {
	Next(ctx context.Context) ([]pipeline.Event, error)
	Progress()
	Close()
}

// Source is where views come from.
type Source interface {
	// Open opens a watch.
	Open(ctx context.Context, r *resourcev1.WatchOpen) (Stream, error)
	// Revision returns the store's revision, at least as new as any write that was acknowledged before the call.
	Revision(ctx context.Context) (int64, error)
}

// View takes the objects of one kind. Its methods are called by one goroutine, in the order of changes.
type View struct {
	// Resource is the kind.
	Resource *resourcev1.Resource
	// MetadataOnly asks for metadata alone.
	MetadataOnly bool
	// Set takes an object as it is now. After an error the object counts as deleted: what cannot be read grants nothing.
	Set func(it *pipeline.Item) error
	// Delete forgets an object.
	Delete func(namespace, name string)
}

// Context returns a context that acts as the API server itself.
func Context(ctx context.Context) context.Context { return identity.NewContext(ctx, pipeline.Self) }

const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 5 * time.Second
)

type key struct{ namespace, name string }

// feed runs one view.
type feed struct {
	view   View
	logger *zap.Logger

	// known holds what the view has; only run's goroutine touches it.
	known map[key]struct{}

	mu       sync.Mutex
	stream   Stream
	synced   bool
	revision int64
	changed  chan struct{} // closed whenever one of the above changes
}

func newFeed(v View, logger *zap.Logger) *feed {
	return &feed{
		view: v, logger: logger.With(zap.String("resource", v.Resource.GetPlural())),
		known: make(map[key]struct{}), changed: make(chan struct{}),
	}
}

// run watches until ctx ends.
func (f *feed) run(ctx context.Context, source Source) {
	retry := firstRetry
	for ctx.Err() == nil {
		progressed, err := f.watch(ctx, source)
		if ctx.Err() != nil {
			return
		}
		f.logger.Debug("watch ended, opening another", zap.Error(err))
		if progressed {
			retry = firstRetry
		}
		timer := time.NewTimer(retry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		retry = min(2*retry, lastRetry)
	}
}

// watch follows one stream to its end; progressed tells whether it came as far as the present state.
func (f *feed) watch(ctx context.Context, source Source) (progressed bool, err error) {
	stream, err := source.Open(ctx, &resourcev1.WatchOpen{
		Selection:         &resourcev1.Selection{Resource: f.view.Resource},
		SendInitialEvents: true, AllowBookmarks: true, ResourceVersionMatch: "NotOlderThan",
		Trim: &resourcev1.Trim{ManagedFields: true, MetadataOnly: f.view.MetadataOnly},
	})
	if err != nil {
		return false, err
	}
	defer stream.Close()
	f.publish(func() { f.stream = stream })
	defer f.publish(func() { f.stream = nil })

	// What the view still has and the new stream does not show was deleted in between.
	stale := make(map[key]struct{}, len(f.known))
	for k := range f.known {
		stale[k] = struct{}{}
	}
	for {
		events, err := stream.Next(ctx)
		if err != nil {
			return progressed, err
		}
		var revision int64
		for i := range events {
			e := &events[i]
			revision = max(revision, e.Revision)
			f.apply(e, stale)
			if e.InitialEventsEnd {
				for k := range stale {
					f.forget(k)
				}
				stale, progressed = nil, true
			}
		}
		if progressed {
			f.publish(func() { f.revision, f.synced = max(f.revision, revision), true })
		}
	}
}

func (f *feed) apply(e *pipeline.Event, stale map[key]struct{}) {
	if e.Item == nil {
		return
	}
	k := key{e.Item.Namespace, e.Item.Name}
	delete(stale, k)
	if e.Type == resourcev1.EventType_EVENT_TYPE_DELETED {
		f.forget(k)
		return
	}
	if err := f.view.Set(e.Item); err != nil {
		f.logger.Error("object cannot be read", zap.String("namespace", k.namespace), zap.String("name", k.name), zap.Error(err))
		f.forget(k)
		return
	}
	f.known[k] = struct{}{}
}

func (f *feed) forget(k key) {
	delete(f.known, k)
	f.view.Delete(k.namespace, k.name)
}

// publish changes the state and wakes who waits for it.
func (f *feed) publish(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// waitFor returns once the view holds everything up to a revision; 0 is any present state.
func (f *feed) waitFor(ctx context.Context, revision int64) error {
	var asked Stream
	for {
		f.mu.Lock()
		done, stream, changed := f.synced && f.revision >= revision, f.stream, f.changed
		f.mu.Unlock()
		if done {
			return nil
		}
		if stream != nil && stream != asked {
			stream.Progress()
			asked = stream
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s at revision %d: %w", f.view.Resource.GetPlural(), revision, ctx.Err())
		case <-changed:
		}
	}
}

package feed

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/item"
)

// script is a source whose streams the test writes.
type script struct {
	streams  chan *scriptStream
	revision int64
}

type scriptStream struct {
	events   chan []pipeline.Event
	progress chan struct{}
}

func newStream() *scriptStream {
	return &scriptStream{events: make(chan []pipeline.Event), progress: make(chan struct{}, 8)}
}

func (s *script) Open(ctx context.Context, _ *resourcev1.WatchOpen) (Stream, error) {
	select {
	case st := <-s.streams:
		return st, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *script) Revision(context.Context) (int64, error) { return s.revision, nil }

func (s *scriptStream) Next(ctx context.Context) ([]pipeline.Event, error) {
	select {
	case e, ok := <-s.events:
		if !ok {
			return nil, io.EOF
		}
		return e, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *scriptStream) Progress() { s.progress <- struct{}{} }
func (s *scriptStream) Close()    {}

func event(t resourcev1.EventType, name string, revision int64) pipeline.Event {
	return pipeline.Event{Type: t, Item: &item.Item{Name: name, Revision: revision}, Revision: revision}
}

func bookmark(revision int64, initial bool) pipeline.Event {
	return pipeline.Event{Type: resourcev1.EventType_EVENT_TYPE_BOOKMARK, Revision: revision, InitialEventsEnd: initial}
}

const (
	added   = resourcev1.EventType_EVENT_TYPE_ADDED
	deleted = resourcev1.EventType_EVENT_TYPE_DELETED
)

// view is what a test sees of the objects.
type view struct {
	mu   sync.Mutex
	have map[string]int64
}

func (v *view) names() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Sorted(maps.Keys(v.have))
}

func start(t *testing.T) (*script, *Set, *view) {
	t.Helper()
	v := &view{have: map[string]int64{}}
	source := &script{streams: make(chan *scriptStream)}
	set := NewSet(zap.NewNop(), View{
		Resource: &resourcev1.Resource{Plural: "things"},
		Set: func(it *pipeline.Item) error {
			if it.Name == "broken" {
				return errors.New("broken")
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			v.have[it.Name] = it.Revision
			return nil
		},
		Delete: func(_, name string) {
			v.mu.Lock()
			defer v.mu.Unlock()
			delete(v.have, name)
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); set.Run(ctx, source) }()
	t.Cleanup(func() { cancel(); <-done })
	return source, set, v
}

func TestFeed(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	source, set, v := start(t)
	first := newStream()
	source.streams <- first
	first.events <- []pipeline.Event{event(added, "a", 3), event(added, "b", 4), event(added, "broken", 5), bookmark(5, true)}
	if err := set.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	if got := v.names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %v", got)
	}

	// The stream breaks; while it is gone "a" is deleted and "c" created.
	close(first.events)
	second := newStream()
	source.streams <- second
	second.events <- []pipeline.Event{event(added, "b", 4), event(added, "c", 8)}
	source.revision = 9
	caught := make(chan error, 1)
	go func() { caught <- set.CatchUp(ctx) }()
	<-second.progress
	select {
	case err := <-caught:
		t.Fatalf("caught up before the state was complete: %v", err)
	default:
	}
	second.events <- []pipeline.Event{bookmark(8, true)}
	second.events <- []pipeline.Event{event(deleted, "b", 9)}
	if err := <-caught; err != nil {
		t.Fatal(err)
	}
	if got := v.names(); !slices.Equal(got, []string{"c"}) {
		t.Errorf("got %v", got)
	}
}

func TestCatchUpEndsWithItsContext(t *testing.T) {
	source, set, _ := start(t)
	st := newStream()
	source.streams <- st
	st.events <- []pipeline.Event{bookmark(1, true)}
	if err := set.WaitForSync(context.Background()); err != nil {
		t.Fatal(err)
	}
	source.revision = 2
	ctx, cancel := context.WithCancel(context.Background())
	caught := make(chan error, 1)
	go func() { caught <- set.CatchUp(ctx) }()
	<-st.progress
	cancel()
	if err := <-caught; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

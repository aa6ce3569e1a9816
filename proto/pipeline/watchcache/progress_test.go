package watchcache

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
)

// gated is a store that answers what its revision is when the test says so.
type gated struct {
	store.Store
	// asked is sent to when an answer is ready, answer received from before it is given.
	asked, answer chan struct{}
}

func (g *gated) Revision(ctx context.Context) (int64, error) {
	revision, err := g.Store.Revision(ctx)
	for _, step := range []func() bool{
		func() bool {
			select {
			case g.asked <- struct{}{}:
				return true
			case <-ctx.Done():
				return false
			}
		},
		func() bool {
			select {
			case <-g.answer:
				return true
			case <-ctx.Done():
				return false
			}
		},
	} {
		if !step() {
			return 0, ctx.Err()
		}
	}
	return revision, err
}

// Whoever asks for progress while another's question is under way gets an answer to its own: a bookmark that is older
// than the question would leave it waiting for ever.
func TestProgressIsNotOlderThanTheQuestion(t *testing.T) {
	kind, ok := schema.Builtin().ByResource("", "v1", "configmaps")
	if !ok {
		t.Fatal("no configmaps")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	g := &gated{Store: memory.New(), asked: make(chan struct{}), answer: make(chan struct{})}
	defer g.Store.Close()
	cache := New(Config{Store: g, Kinds: []*schema.Kind{kind}, History: 10, Buffer: 10, Logger: zap.NewNop()})
	started := make(chan error, 1)
	go func() { started <- cache.Start(ctx) }()
	<-g.asked
	g.answer <- struct{}{}
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	watch := func() *Watcher {
		w, err := cache.Collection(kind).Watch(Options{After: cache.Revision()})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	first, second := watch(), watch()

	first.Progress()
	<-g.asked
	// The answer to the first is ready but not there yet. Now something is written, and another asks.
	written, err := g.Store.Create(ctx, "/elsewhere/a", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	second.Progress()
	g.answer <- struct{}{}
	<-g.asked
	g.answer <- struct{}{}

	for name, w := range map[string]*Watcher{"first": first, "second": second} {
		events, err := w.Next(ctx, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(events) != 1 || events[0].Type != Bookmark || name == "second" && events[0].Revision < written {
			t.Errorf("%s: got %v, asked after revision %d was written", name, fmt.Sprint(events), written)
		}
	}
}

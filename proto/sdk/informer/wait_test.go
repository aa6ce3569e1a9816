package informer_test

import (
	"context"
	"errors"
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/informer"
	"github.com/keelson/keelson/proto/sdk/internal/memconn"
	"github.com/keelson/keelson/proto/sdk/internal/scripted"
)

// synced is a play whose informer has an empty store at revision 5.
func synced(t *testing.T) (*play, *scripted.Watch) {
	p := start(t, informer.Options[*corev1.Pod]{})
	w := p.open("")
	w.Send(t, scripted.Bookmark(5, true))
	if err := p.WaitForSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, w
}

func (p *play) wait(revision int64) chan error {
	done := make(chan error, 1)
	go func() { done <- p.WaitFor(p.t.Context(), revision) }()
	return done
}

func TestWaitForWhatIsThere(t *testing.T) {
	p, _ := synced(t)
	for _, r := range []int64{0, 4, 5} {
		if err := p.WaitFor(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
}

func TestWaitForAsksForProgress(t *testing.T) {
	p, w := synced(t)
	done := p.wait(8)
	if r := <-w.Requests; r.GetProgress() == nil {
		t.Fatalf("sent %v", r)
	}
	w.Send(t, scripted.Bookmark(9, false))
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWaitForAsksAgainWhereTheAnswerIsEarlier(t *testing.T) {
	p, w := synced(t)
	done := p.wait(8)
	for _, revision := range []int64{6, 7, 8} {
		if r := <-w.Requests; r.GetProgress() == nil {
			t.Fatalf("sent %v", r)
		}
		w.Send(t, scripted.Bookmark(revision, false))
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWaitForOutlivesItsStream(t *testing.T) {
	p, w := synced(t)
	done := p.wait(8)
	<-w.Requests
	w.End(nil)
	w = p.open("5")
	if r := <-w.Requests; r.GetProgress() == nil {
		t.Fatalf("sent %v", r)
	}
	w.Send(t, added(pod("a", 8)))
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, ok := p.Get("default", "a"); !ok {
		t.Error("released before the store has the change")
	}
}

func TestWaitForBeforeTheSnapshot(t *testing.T) {
	p := start(t, informer.Options[*corev1.Pod]{})
	w := p.open("")
	zero, later := p.wait(0), p.wait(8)
	w.Send(t, scripted.Bookmark(5, true))
	if err := <-zero; err != nil {
		t.Error(err)
	}
	for r := range w.Requests {
		if r.GetProgress() != nil {
			break
		}
	}
	w.Send(t, scripted.Bookmark(8, false))
	if err := <-later; err != nil {
		t.Error(err)
	}
}

func TestWaitForEndsWithItsContext(t *testing.T) {
	p, w := synced(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.WaitFor(ctx, 100) }()
	<-w.Requests
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestGroupSharesInformers(t *testing.T) {
	watches := make(chan *scripted.Watch)
	l := memconn.New(t, &scripted.Service{Watches: watches})
	g := informer.NewGroup(l.Conn)
	a := informer.Of[*corev1.Pod](g)
	b := informer.Of(g, map[string]func(*corev1.Pod) []string{
		"node": func(p *corev1.Pod) []string { return []string{p.GetSpec().GetNodeName()} },
	})
	if a != b {
		t.Fatal("two informers of one type")
	}
	informer.Of[*corev1.Node](g)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	for range 2 {
		w := <-watches
		if w.Open.Selection.Resource.Plural == "pods" {
			w.Send(t, added(podOn("a", "n1", 1)))
		}
		w.Send(t, scripted.Bookmark(3, true))
	}
	if err := g.WaitForSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(a.ByIndex("node", "n1")) != 1 {
		t.Error("an index added by the second user is empty")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

package controller

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/apierrors"
)

// source is a cache whose revision the test sets.
type source struct {
	mu       sync.Mutex
	changed  *sync.Cond
	revision int64
	waits    chan int64
}

func newSource() *source {
	s := &source{waits: make(chan int64, 16)}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (s *source) WaitForSync(context.Context) error { return nil }

func (s *source) WaitFor(ctx context.Context, revision int64) error {
	s.waits <- revision
	stop := context.AfterFunc(ctx, s.changed.Broadcast)
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.revision < revision {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.changed.Wait()
	}
	return nil
}

func (s *source) advance(revision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision = revision
	s.changed.Broadcast()
}

func start(t *testing.T, src *source, reconcile func(*Runner[string], string) error) *Runner[string] {
	t.Helper()
	r := NewRunner[string](Options{Name: t.Name(), Workers: 2, Reads: []Source{src}, Logger: zap.NewNop()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, func(_ context.Context, key string) error { return reconcile(r, key) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

// TestReadsItsOwnWrites is the rule that the runner is there for.
func TestReadsItsOwnWrites(t *testing.T) {
	src := newSource()
	calls := make(chan string, 16)
	r := start(t, src, func(r *Runner[string], key string) error {
		calls <- key
		if key == "a" {
			r.Wrote("a", src, 7)
		}
		return nil
	})
	r.Add("a")
	<-calls
	r.Add("a")
	if got := <-src.waits; got != 7 {
		t.Errorf("waits for revision %d, want 7", got)
	}
	// Another key is not held up.
	r.Add("b")
	if got := <-calls; got != "b" {
		t.Fatalf("%q was reconciled while its own write was not in the cache", got)
	}
	src.advance(7)
	if got := <-calls; got != "a" {
		t.Errorf("got %q", got)
	}
}

func TestFailuresAreRetried(t *testing.T) {
	for name, failure := range map[string]func() error{
		"error":    func() error { return errors.New("no") },
		"conflict": func() error { return apierrors.NewConflict("", "pods", "p", nil) },
		"panic":    func() error { panic("broken object") },
	} {
		t.Run(name, func(t *testing.T) {
			calls := make(chan int, 16)
			n := 0
			r := start(t, newSource(), func(*Runner[string], string) error {
				n++
				calls <- n
				if n < 3 {
					return failure()
				}
				return nil
			})
			r.Add("a")
			for want := 1; want <= 3; want++ {
				if got := <-calls; got != want {
					t.Fatalf("call %d, want %d", got, want)
				}
			}
		})
	}
}

func TestFenceKeepsTheHighest(t *testing.T) {
	f := newFence[string]()
	src := newSource()
	src.advance(5)
	f.wrote("a", src, 5)
	f.wrote("a", src, 3)
	f.wrote("a", src, 0)
	if err := f.wait(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := <-src.waits; got != 5 {
		t.Errorf("waited for %d, want 5", got)
	}
	if len(f.writes) != 0 {
		t.Errorf("the fence keeps %v", f.writes)
	}
	f.wrote("a", src, 9)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := f.wait(ctx, "a"); err == nil {
		t.Error("a wait that was ended did not fail")
	}
	if len(f.writes) != 1 {
		t.Error("a failed wait forgot the write")
	}
}

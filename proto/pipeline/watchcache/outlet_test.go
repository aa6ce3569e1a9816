package watchcache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/store/envelope"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
)

// stage is a cache of ConfigMaps over a store that the test writes to.
type stage struct {
	t     *testing.T
	store *memory.Store
	cache *Cache
	col   *Collection
	n     int
}

func newStage(t *testing.T, buffer int) *stage {
	t.Helper()
	kind, ok := schema.Builtin().ByResource("", "v1", "configmaps")
	if !ok {
		t.Fatal("no configmaps")
	}
	s := &stage{t: t, store: memory.New()}
	s.cache = New(Config{Store: s.store, Kinds: []*schema.Kind{kind}, History: 10000, Buffer: buffer, Logger: zap.NewNop()})
	if err := s.cache.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cache.Close(); s.store.Close() })
	s.col = s.cache.Collection(kind)
	return s
}

// write makes one change and returns its revision.
func (s *stage) write() int64 {
	s.t.Helper()
	s.n++
	name := fmt.Sprint("c", s.n)
	raw, err := proto.Marshal(&corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Name: name, Namespace: "n"}})
	if err != nil {
		s.t.Fatal(err)
	}
	rev, err := s.store.Create(s.t.Context(), "/registry/configmaps/n/"+name, envelope.Append(nil, "v1", "ConfigMap", raw), 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return rev
}

func (s *stage) watch(o Outlet, take Take) *Watcher {
	s.t.Helper()
	w, err := s.col.Watch(Options{After: s.cache.Revision()})
	if err != nil {
		s.t.Fatal(err)
	}
	w.Direct(o, take)
	return w
}

// moody is an outlet that is open now and then.
type moody struct {
	mu   sync.Mutex
	r    *rand.Rand
	busy atomic.Int32
}

func (m *moody) chance(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.r.IntN(n) != 0
}

func (m *moody) Begin() bool {
	if !m.chance(4) {
		return false
	}
	m.busy.Add(1)
	return true
}

func (m *moody) End() { m.busy.Add(-1) }

// Whatever outlets take, and whoever else is served meanwhile, each watcher gets each event once and in order, from its
// outlet or from Next, and never from both at the same time.
func TestOutletsAndNextShareTheEvents(t *testing.T) {
	const watchers, changes = 40, 1500
	s := newStage(t, changes+1)
	var group sync.WaitGroup
	outlets := make([]*moody, watchers/4)
	for i := range outlets {
		outlets[i] = &moody{r: rand.New(rand.NewPCG(1, uint64(i)))}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make([][]int64, watchers)
	full := make(chan struct{}, watchers)
	see := func(i int, events []Event) {
		for _, e := range events {
			if got[i] = append(got[i], e.Revision); len(got[i]) == changes {
				full <- struct{}{}
			}
		}
	}
	for i := range watchers {
		o := outlets[i%len(outlets)]
		// No lock is needed: that is what is tested.
		take := func(events []Event) (int, bool) {
			if o.busy.Load() != 1 {
				t.Errorf("%d turns of an outlet at a time", o.busy.Load())
			}
			n := len(events)
			if !o.chance(3) {
				n = rand.IntN(n + 1)
			}
			if !o.chance(50) {
				panic("left to Next")
			}
			see(i, events[:n])
			return n, n > 0 && o.chance(2)
		}
		w := s.watch(o, take)
		group.Go(func() {
			defer w.Close()
			var buf []Event
			for {
				events, err := w.Next(ctx, buf)
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					return
				}
				see(i, events)
				buf = events
			}
		})
	}
	var want []int64
	for range changes {
		want = append(want, s.write())
	}
	for range watchers {
		select {
		case <-full:
		case <-time.After(time.Minute):
			t.Fatal("some event does not come")
		}
	}
	cancel()
	group.Wait()
	for i := range got {
		if fmt.Sprint(got[i]) != fmt.Sprint(want) {
			t.Errorf("watcher %d got %d events of %d, or in another order", i, len(got[i]), len(want))
		}
	}
}

// shut is an outlet that never takes anything.
type shut struct{ _ int }

func (*shut) Begin() bool { return false }
func (*shut) End()        {}

// A watcher whose outlet is shut and who does not call Next is cut off; others go on.
func TestShutOutletsDelayNobody(t *testing.T) {
	const buffer = 20
	s := newStage(t, buffer)
	stuck := s.watch(&shut{}, nil)
	defer stuck.Close()
	seen := make(chan int64, 10*buffer)
	take := func(events []Event) (int, bool) {
		for _, e := range events {
			seen <- e.Revision
		}
		return len(events), true
	}
	w := s.watch(&open{}, take)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for {
			events, err := w.Next(ctx, nil)
			if err != nil {
				ended <- err
				return
			}
			take(events) // those of before
		}
	}()
	for range 5 * buffer {
		if want, got := s.write(), <-seen; got != want {
			t.Fatalf("event of revision %d, want %d", got, want)
		}
	}
	if _, err := stuck.Next(t.Context(), nil); !errors.Is(err, ErrTooSlow) {
		t.Errorf("the watcher that did not read: %v", err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Next: %v", err)
	}
	w.Close()
	// Nothing is brought to a watcher after its Next has returned.
	if err := s.cache.WaitFor(t.Context(), s.write()); err != nil {
		t.Fatal(err)
	}
	if len(seen) > 0 {
		t.Error("an event after the end")
	}
}

// open takes everything.
type open struct{ _ int }

func (*open) Begin() bool { return true }
func (*open) End()        {}

// Lines are forgotten with their last watcher.
func TestLinesAreForgotten(t *testing.T) {
	s := newStage(t, 10)
	o := &open{}
	a, b := s.watch(o, nil), s.watch(o, nil)
	a.Close()
	a.Close()
	if n := len(s.cache.dispatch.lines); n != 1 {
		t.Errorf("%d lines while there is a watcher", n)
	}
	b.Close()
	if n := len(s.cache.dispatch.lines); n != 0 {
		t.Errorf("%d lines are left", n)
	}
}

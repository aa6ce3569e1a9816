package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/envelope"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
)

// state is an object at a revision; nil is none.
type state struct {
	key, label string
	revision   int64
}

// record is all that has happened to the ConfigMaps, as the store tells it.
type record []struct {
	revision int64
	key      string
	now      *state
}

func readRecord(t *testing.T, ctx context.Context, s store.Store) (r record) {
	t.Helper()
	w, err := s.Watch(ctx, "/registry/configmaps/", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	end, err := s.Revision(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < end; {
		b, err := w.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events {
			key := strings.TrimPrefix(e.KV.Key, "/registry/configmaps/")
			var now *state
			if e.Type == store.Put {
				var m corev1.ConfigMap
				o, err := envelope.Parse(e.KV.Value)
				if err == nil {
					err = proto.Unmarshal(o.Raw, &m)
				}
				if err != nil {
					t.Fatal(err)
				}
				now = &state{key, m.GetMetadata().GetLabels()["l"], e.KV.Revision}
			}
			r = append(r, struct {
				revision int64
				key      string
				now      *state
			}{e.KV.Revision, key, now})
		}
		at = b.Revision
	}
	return r
}

// told is what a watcher is told: "ADDED ns/name@revision".
type told string

func tell(what, key string, revision int64) told {
	return told(fmt.Sprintf("%s %s@%d", what, key, revision))
}

// view is a selection of the ConfigMaps: a namespace and a label, "" is any.
type view struct{ namespace, label string }

func (v view) sees(s *state) bool {
	return s != nil && (v.namespace == "" || strings.HasPrefix(s.key, v.namespace+"/")) && (v.label == "" || v.label == s.label)
}

func (v view) selection() *resourcev1.Selection {
	s := selection("", "configmaps", v.namespace)
	if v.label != "" {
		s.LabelSelector = "l=" + v.label
	}
	return s
}

// at is what a view shows at a revision, in order.
func (r record) at(v view, revision int64) (out []told) {
	now := map[string]*state{}
	for _, c := range r {
		if c.revision <= revision {
			now[c.key] = c.now
		}
	}
	for _, k := range slices.Sorted(maps.Keys(now)) {
		if v.sees(now[k]) {
			out = append(out, tell("ADDED", k, now[k].revision))
		}
	}
	return out
}

// after is what a watcher of a view has to be told from a revision on, with the revisions.
func (r record) after(v view, revision int64) (out []told, revisions []int64) {
	was := map[string]*state{}
	for _, c := range r {
		what := ""
		switch now, then := v.sees(c.now), v.sees(was[c.key]); {
		case now && then:
			what = "MODIFIED"
		case now:
			what = "ADDED"
		case then:
			what = "DELETED"
		}
		was[c.key] = c.now
		if what != "" && c.revision > revision {
			out, revisions = append(out, tell(what, c.key, c.revision)), append(revisions, c.revision)
		}
	}
	return out, revisions
}

// spectator watches a view, resumes where it was cut off, and notes what it is told.
type spectator struct {
	v     view
	slow  bool
	after int64
	// initial is the state that the watch began with, at after; nil where it began with a list.
	initial []told
	listed  bool
	heard   []told
	last    int64
	cuts    int
}

func (sp *spectator) watch(h *harness, r *rand.Rand, writing func() bool, until func(last int64) bool) error {
	for {
		o := &resourcev1.WatchOpen{Selection: sp.v.selection(), AllowBookmarks: true}
		fresh := sp.last == 0
		if fresh {
			sp.initial, sp.heard, sp.listed = nil, nil, false
			if sp.listed = r.IntN(2) == 0; sp.listed {
				list, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: o.Selection})
				if err != nil {
					return err
				}
				for _, it := range list.Items {
					sp.initial = append(sp.initial, tell("ADDED", it.Namespace+"/"+it.Name, it.Revision))
				}
				sp.after, sp.last = list.Revision, list.Revision
			}
		}
		if sp.last > 0 {
			o.ResourceVersion = strconv.FormatInt(sp.last, 10)
		} else {
			o.SendInitialEvents = true
		}
		w, err := h.s.Watch(h.ctx, o)
		if apierrors.IsResourceExpired(err) {
			sp.last, sp.cuts = 0, sp.cuts+1
			continue
		} else if err != nil {
			return err
		}
		err = sp.follow(h, r, w, writing, until)
		w.Close()
		if !apierrors.IsResourceExpired(err) && !errors.Is(err, errLeft) {
			return err
		}
		if apierrors.IsResourceExpired(err) {
			sp.last, sp.cuts = 0, sp.cuts+1
		}
	}
}

var errLeft = errors.New("left")

func (sp *spectator) follow(h *harness, r *rand.Rand, w *pipeline.Watch, writing func() bool, until func(int64) bool) error {
	for {
		if sp.last > 0 && !writing() && until(sp.last) {
			return nil
		}
		if sp.slow && writing() {
			// Not read for as long as others make some changes.
			for at := h.s.Revision(); writing() && h.s.Revision() < at+60; {
				if err := h.ctx.Err(); err != nil {
					return err
				}
				if _, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: sp.v.selection()}); err != nil {
					return err
				}
			}
		}
		w.Progress()
		events, err := w.Next(h.ctx)
		if err != nil {
			return err
		}
		for _, e := range events {
			switch {
			case e.InitialEventsEnd:
				sp.after, sp.last = e.Revision, e.Revision
			case e.Item == nil:
				sp.heard = append(sp.heard, told(fmt.Sprint("BOOKMARK ", e.Revision)))
				sp.last = max(sp.last, e.Revision)
			case sp.last == 0:
				sp.initial = append(sp.initial, tell("ADDED", e.Item.Namespace+"/"+e.Item.Name, e.Item.Revision))
			default:
				what := strings.TrimPrefix(e.Type.String(), "EVENT_TYPE_")
				sp.heard = append(sp.heard, tell(what, e.Item.Namespace+"/"+e.Item.Name, e.Revision))
				sp.last = e.Revision
			}
		}
		if sp.last > 0 && writing() && r.IntN(40) == 0 {
			return errLeft
		}
	}
}

// check holds what was heard against the record.
func (sp *spectator) check(r record) error {
	if want := r.at(sp.v, sp.after); !slices.Equal(want, sp.initial) {
		return fmt.Errorf("state at %d: %v, want %v", sp.after, sp.initial, want)
	}
	want, revisions := r.after(sp.v, sp.after)
	n := 0
	for _, got := range sp.heard {
		if mark, ok := strings.CutPrefix(string(got), "BOOKMARK "); ok {
			at, _ := strconv.ParseInt(mark, 10, 64)
			if n < len(want) && revisions[n] <= at || n > 0 && revisions[n-1] > at {
				return fmt.Errorf("bookmark at %d between %v", at, want[max(0, n-1):min(n+1, len(want))])
			}
			continue
		}
		if n == len(want) || got != want[n] {
			return fmt.Errorf("event %d is %s, want %v", n, got, want[n:min(n+2, len(want))])
		}
		n++
	}
	if n < len(want) {
		return fmt.Errorf("%d events are missing: %v", len(want)-n, want[n:min(n+3, len(want))])
	}
	return nil
}

// Every watcher, also one that is cut off because it does not read, is told each change once and in order; lists are what
// was there. The servers' buffers and histories are tiny, and two servers share the store.
func TestWatchersHoldAgainstTheStore(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { st.Close() })
	small := func(c *pipeline.Config) { c.Store, c.WatchBuffer, c.WatchHistory = st, 40, 50 }
	servers := []*harness{start(t, small), start(t, small)}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const writers, steps, spectators = 4, 250, 12
	for _, ns := range []string{"a", "a-b"} {
		servers[0].mustCreate(ref("", "namespaces", "", ns), &corev1.Namespace{Metadata: &metav1.ObjectMeta{Name: ns}})
	}
	done := make(chan struct{})
	writing := func() bool {
		select {
		case <-done:
			return false
		default:
			return true
		}
	}
	var write, watch sync.WaitGroup
	for i := range writers {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		write.Go(func() {
			for range steps {
				scribble(t, servers[r.IntN(2)], r)
			}
		})
	}
	all := make([]*spectator, spectators)
	for i := range all {
		r := rand.New(rand.NewPCG(seed, uint64(100+i)))
		sp := &spectator{v: view{namespace: []string{"", "a", "a-b"}[i%3], label: []string{"", "0", "1"}[r.IntN(3)]}, slow: i%4 == 0}
		all[i] = sp
		watch.Go(func() {
			until := func(last int64) bool {
				end, err := st.Revision(servers[0].ctx)
				return err != nil || last >= end
			}
			if err := sp.watch(servers[i%2], r, writing, until); err != nil {
				t.Errorf("spectator %d: %v", i, err)
			}
		})
	}
	write.Wait()
	close(done)
	watch.Wait()
	r := readRecord(t, servers[0].ctx, st)
	cuts := 0
	for i, sp := range all {
		cuts += sp.cuts
		if err := sp.check(r); err != nil {
			t.Errorf("spectator %d of %+v: %v", i, sp.v, err)
		}
	}
	t.Logf("%d changes, %d watchers cut off", len(r), cuts)
	if cuts == 0 {
		t.Error("no watcher was too slow")
	}
}

// scribble makes one random change.
func scribble(t *testing.T, h *harness, r *rand.Rand) {
	at := ref("", "configmaps", []string{"a", "a-b"}[r.IntN(2)], fmt.Sprint("c", r.IntN(8)))
	cm := labelled(at.Name, strconv.Itoa(r.IntN(2)))
	cm.Data = map[string]string{"n": strconv.Itoa(r.Int())}
	var err error
	switch r.IntN(4) {
	case 0:
		_, err = h.create(at, cm)
	case 1, 2:
		_, err = h.update(at, cm)
	default:
		_, err = h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: at})
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsAlreadyExists(err) {
		t.Error(err)
	}
}

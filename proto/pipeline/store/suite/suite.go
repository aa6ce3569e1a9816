// Package suite is the behaviour that every store.Store shows; each implementation runs it from its own tests.
package suite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/proto/pipeline/store"
)

// patience bounds every wait of the suite; only a failing store makes it pass.
const patience = 20 * time.Second

// Run runs the whole suite. open returns a new, empty store for each test and closes it when the test ends.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, test := range map[string]func(*testing.T, context.Context, store.Store){
		"write and read":      writeAndRead,
		"optimistic writes":   optimisticWrites,
		"one winner":          oneWinner,
		"ranges":              ranges,
		"reads of the past":   readsOfThePast,
		"watch":               watch,
		"watch of a prefix":   watchPrefix,
		"watch in the past":   watchPast,
		"watch order":         watchOrder,
		"watch closed":        watchClosed,
		"time to live":        timeToLive,
		"revision is covered": revisionCovers,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			test(t, ctx, open(t))
		})
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func writeAndRead(t *testing.T, ctx context.Context, s store.Store) {
	if _, err := s.Get(ctx, "/a"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("get of nothing: %v", err)
	}
	rev := must[int64](t)(s.Create(ctx, "/a", []byte("1"), 0))
	kv := must[store.KV](t)(s.Get(ctx, "/a"))
	if diff := cmp.Diff(store.KV{Key: "/a", Value: []byte("1"), Revision: rev}, kv); diff != "" {
		t.Fatal(diff)
	}
	_, err := s.Create(ctx, "/a", []byte("2"), 0)
	wantErr(t, err, store.ErrExists)
	rev2, _, err := s.Update(ctx, "/a", []byte("2"), rev, 0)
	if err != nil || rev2 <= rev {
		t.Fatalf("update: revision %d after %d, %v", rev2, rev, err)
	}
	rev3, _, err := s.Delete(ctx, "/a", rev2)
	if err != nil || rev3 <= rev2 {
		t.Fatalf("delete: revision %d after %d, %v", rev3, rev2, err)
	}
	_, err = s.Get(ctx, "/a")
	wantErr(t, err, store.ErrNotFound)
	if rev4 := must[int64](t)(s.Create(ctx, "/a", []byte("3"), 0)); rev4 <= rev3 {
		t.Fatalf("created again at %d after %d", rev4, rev3)
	}
}

func optimisticWrites(t *testing.T, ctx context.Context, s store.Store) {
	_, _, err := s.Update(ctx, "/a", []byte("x"), 5, 0)
	wantErr(t, err, store.ErrNotFound)
	_, _, err = s.Delete(ctx, "/a", 5)
	wantErr(t, err, store.ErrNotFound)

	rev := must[int64](t)(s.Create(ctx, "/a", []byte("1"), 0))
	rev2, _, err := s.Update(ctx, "/a", []byte("2"), rev, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := store.KV{Key: "/a", Value: []byte("2"), Revision: rev2}
	_, cur, err := s.Update(ctx, "/a", []byte("3"), rev, 0)
	wantErr(t, err, store.ErrConflict)
	if diff := cmp.Diff(want, cur); diff != "" {
		t.Fatalf("state on conflict: %s", diff)
	}
	_, cur, err = s.Delete(ctx, "/a", rev)
	wantErr(t, err, store.ErrConflict)
	if diff := cmp.Diff(want, cur); diff != "" {
		t.Fatalf("state on conflict: %s", diff)
	}
}

func oneWinner(t *testing.T, ctx context.Context, s store.Store) {
	rev := must[int64](t)(s.Create(ctx, "/n", []byte("0"), 0))
	const writers = 8
	var wg sync.WaitGroup
	won := make([]bool, writers)
	for i := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, _, err := s.Update(ctx, "/n", fmt.Appendf(nil, "%d", i), rev, 0)
			won[i] = err == nil
			if err != nil && !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	winner := -1
	for i, w := range won {
		if w && winner >= 0 {
			t.Fatal("two writers won")
		} else if w {
			winner = i
		}
	}
	if kv := must[store.KV](t)(s.Get(ctx, "/n")); string(kv.Value) != fmt.Sprint(winner) {
		t.Fatalf("stored %q, winner was %d", kv.Value, winner)
	}
}

func fill(t *testing.T, ctx context.Context, s store.Store, keys ...string) (revisions []int64) {
	t.Helper()
	for _, k := range keys {
		revisions = append(revisions, must[int64](t)(s.Create(ctx, k, []byte(k), 0)))
	}
	return revisions
}

func keysOf(r store.RangeResult) (keys []string) {
	for _, kv := range r.KVs {
		keys = append(keys, kv.Key)
	}
	return keys
}

func ranges(t *testing.T, ctx context.Context, s store.Store) {
	fill(t, ctx, s, "/r/b/2", "/r/a/1", "/r/a/3", "/r/a/2", "/q", "/s")
	for _, c := range []struct {
		r     store.Range
		want  []string
		count int64
	}{
		{store.Range{Prefix: "/r/"}, []string{"/r/a/1", "/r/a/2", "/r/a/3", "/r/b/2"}, 4},
		{store.Range{Prefix: "/r/a/"}, []string{"/r/a/1", "/r/a/2", "/r/a/3"}, 3},
		{store.Range{Prefix: "/r/", Limit: 2}, []string{"/r/a/1", "/r/a/2"}, 4},
		{store.Range{Prefix: "/r/", Start: "/r/a/2\x00", Limit: 2}, []string{"/r/a/3", "/r/b/2"}, 2},
		{store.Range{Prefix: "/r/c/"}, nil, 0},
		{store.Range{}, []string{"/q", "/r/a/1", "/r/a/2", "/r/a/3", "/r/b/2", "/s"}, 6},
	} {
		got := must[store.RangeResult](t)(s.List(ctx, c.r))
		if diff := cmp.Diff(c.want, keysOf(got)); diff != "" || got.Count != c.count {
			t.Errorf("%+v: count %d, want %d; %s", c.r, got.Count, c.count, diff)
		}
	}
}

func readsOfThePast(t *testing.T, ctx context.Context, s store.Store) {
	rev := fill(t, ctx, s, "/a", "/b")
	if _, _, err := s.Update(ctx, "/a", []byte("new"), rev[0], 0); err != nil {
		t.Fatal(err)
	}
	del, _, err := s.Delete(ctx, "/b", rev[1])
	if err != nil {
		t.Fatal(err)
	}
	past := must[store.RangeResult](t)(s.List(ctx, store.Range{Prefix: "/", Revision: rev[1]}))
	want := []store.KV{{Key: "/a", Value: []byte("/a"), Revision: rev[0]}, {Key: "/b", Value: []byte("/b"), Revision: rev[1]}}
	if diff := cmp.Diff(want, past.KVs); diff != "" {
		t.Fatal(diff)
	}
	_, err = s.List(ctx, store.Range{Prefix: "/", Revision: del + 100})
	wantErr(t, err, store.ErrFutureRevision)

	if err := s.Compact(ctx, del); err != nil {
		t.Fatal(err)
	}
	_, err = s.List(ctx, store.Range{Prefix: "/", Revision: rev[1]})
	wantErr(t, err, store.ErrCompacted)
	now := must[store.RangeResult](t)(s.List(ctx, store.Range{Prefix: "/", Revision: del}))
	if diff := cmp.Diff([]string{"/a"}, keysOf(now)); diff != "" {
		t.Fatal(diff)
	}
}

// collect receives until it has n events.
func collect(t *testing.T, ctx context.Context, w store.Watcher, n int) (events []store.Event) {
	t.Helper()
	var last int64
	for len(events) < n {
		b, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("after %d of %d events: %v", len(events), n, err)
		}
		for _, e := range b.Events {
			if e.KV.Revision < last || e.KV.Revision > b.Revision {
				t.Fatalf("event at %d after %d in a batch up to %d", e.KV.Revision, last, b.Revision)
			}
			last = e.KV.Revision
		}
		events = append(events, b.Events...)
	}
	return events
}

func watch(t *testing.T, ctx context.Context, s store.Store) {
	w := must[store.Watcher](t)(s.Watch(ctx, "", must[int64](t)(s.Revision(ctx))+1))
	defer w.Close()
	rev := must[int64](t)(s.Create(ctx, "/a", []byte("1"), 0))
	rev2, _, err := s.Update(ctx, "/a", []byte("2"), rev, 0)
	if err != nil {
		t.Fatal(err)
	}
	rev3, _, err := s.Delete(ctx, "/a", rev2)
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Event{
		{Type: store.Put, KV: store.KV{Key: "/a", Value: []byte("1"), Revision: rev}},
		{Type: store.Put, KV: store.KV{Key: "/a", Value: []byte("2"), Revision: rev2}},
		{Type: store.Delete, KV: store.KV{Key: "/a", Revision: rev3}},
	}
	if diff := cmp.Diff(want, collect(t, ctx, w, 3)); diff != "" {
		t.Fatal(diff)
	}
}

func watchPrefix(t *testing.T, ctx context.Context, s store.Store) {
	w := must[store.Watcher](t)(s.Watch(ctx, "/b/", must[int64](t)(s.Revision(ctx))+1))
	defer w.Close()
	fill(t, ctx, s, "/a/1", "/b/1", "/b", "/b/2", "/c/1")
	var keys []string
	for _, e := range collect(t, ctx, w, 2) {
		keys = append(keys, e.KV.Key)
	}
	if diff := cmp.Diff([]string{"/b/1", "/b/2"}, keys); diff != "" {
		t.Fatal(diff)
	}
}

func watchPast(t *testing.T, ctx context.Context, s store.Store) {
	rev := fill(t, ctx, s, "/a", "/b", "/c")
	w := must[store.Watcher](t)(s.Watch(ctx, "", rev[1]))
	defer w.Close()
	if e := collect(t, ctx, w, 2); e[0].KV.Key != "/b" || e[1].KV.Key != "/c" {
		t.Fatalf("got %v", e)
	}
	if err := s.Compact(ctx, rev[2]); err != nil {
		t.Fatal(err)
	}
	old, err := s.Watch(ctx, "", rev[0])
	if err == nil {
		defer old.Close()
		_, err = old.Next(ctx)
	}
	wantErr(t, err, store.ErrCompacted)
}

func watchOrder(t *testing.T, ctx context.Context, s store.Store) {
	w := must[store.Watcher](t)(s.Watch(ctx, "/k/", must[int64](t)(s.Revision(ctx))+1))
	defer w.Close()
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for i := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range each {
				if _, err := s.Create(ctx, fmt.Sprintf("/k/%d/%d", i, n), bytes.Repeat([]byte("v"), 100), 0); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	seen := map[int64]bool{}
	next := make([]int, writers)
	for _, e := range collect(t, ctx, w, writers*each) {
		if seen[e.KV.Revision] {
			t.Fatalf("two writes share revision %d", e.KV.Revision)
		}
		seen[e.KV.Revision] = true
		var i, n int
		if _, err := fmt.Sscanf(e.KV.Key, "/k/%d/%d", &i, &n); err != nil {
			t.Fatal(err)
		}
		if next[i] != n {
			t.Fatalf("writer %d: got write %d, want %d", i, n, next[i])
		}
		next[i]++
	}
	wg.Wait()
}

func watchClosed(t *testing.T, ctx context.Context, s store.Store) {
	w := must[store.Watcher](t)(s.Watch(ctx, "", 0))
	done := make(chan error, 1)
	go func() {
		_, err := w.Next(ctx)
		done <- err
	}()
	w.Close()
	wantErr(t, <-done, store.ErrClosed)

	short, cancel := context.WithCancel(ctx)
	w2 := must[store.Watcher](t)(s.Watch(ctx, "", 0))
	defer w2.Close()
	cancel()
	_, err := w2.Next(short)
	wantErr(t, err, context.Canceled)
}

func timeToLive(t *testing.T, ctx context.Context, s store.Store) {
	w := must[store.Watcher](t)(s.Watch(ctx, "", must[int64](t)(s.Revision(ctx))+1))
	defer w.Close()
	rev := must[int64](t)(s.Create(ctx, "/short", []byte("x"), time.Second))
	e := collect(t, ctx, w, 2)
	if e[0].Type != store.Put || e[1].Type != store.Delete || e[1].KV.Key != "/short" || e[1].KV.Revision <= rev {
		t.Fatalf("got %v", e)
	}
	_, err := s.Get(ctx, "/short")
	wantErr(t, err, store.ErrNotFound)
}

func revisionCovers(t *testing.T, ctx context.Context, s store.Store) {
	for i := range 20 {
		rev := must[int64](t)(s.Create(ctx, fmt.Sprint("/", i), nil, 0))
		if now := must[int64](t)(s.Revision(ctx)); now < rev {
			t.Fatalf("revision %d after a write at %d", now, rev)
		}
	}
}

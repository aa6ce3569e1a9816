package queue_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keelson/keelson/proto/sdk/queue"
)

func get(t *testing.T, q *queue.Queue[string]) string {
	t.Helper()
	key, ok := q.Get(t.Context())
	if !ok {
		t.Fatal("no key")
	}
	return key
}

func TestOrderAndDeduplication(t *testing.T) {
	q := queue.New[string](queue.Options{})
	for _, k := range []string{"a", "b", "a", "c", "b"} {
		q.Add(k)
	}
	if q.Len() != 3 {
		t.Errorf("Len = %d", q.Len())
	}
	for _, want := range []string{"a", "b", "c"} {
		if got := get(t, q); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestKeyInWorkComesAgainAfterDone(t *testing.T) {
	q := queue.New[string](queue.Options{})
	q.Add("a")
	get(t, q)
	q.Add("a")
	q.Add("a")
	if q.Len() != 0 {
		t.Fatal("a key is handed out twice at once")
	}
	q.Done("a")
	if q.Len() != 1 {
		t.Fatal("a key that was added in work is lost")
	}
	get(t, q)
	q.Done("a")
	q.Done("a")
	if q.Len() != 0 {
		t.Fatal("a key comes again without being added")
	}
}

func TestAddAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New[string](queue.Options{})
		start := time.Now()
		q.AddAfter("late", 3*time.Second)
		q.AddAfter("soon", time.Second)
		q.AddAfter("late", 2*time.Second)  // earlier: counts
		q.AddAfter("late", 10*time.Second) // later: does not
		q.AddAfter("now", 0)
		for _, want := range []struct {
			key string
			at  time.Duration
		}{{"now", 0}, {"soon", time.Second}, {"late", 2 * time.Second}} {
			if key := get(t, q); key != want.key || time.Since(start) != want.at {
				t.Errorf("got %s after %v, want %v", key, time.Since(start), want)
			}
			q.Done(want.key)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if key, ok := q.Get(ctx); ok {
			t.Errorf("%s came twice", key)
		}
	})
}

func TestBackoffPerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New[string](queue.Options{BaseDelay: time.Second, MaxDelay: 5 * time.Second})
		for n, want := range []time.Duration{1, 2, 4, 5, 5} {
			start := time.Now()
			q.AddRateLimited("a")
			get(t, q)
			q.Done("a")
			if got := time.Since(start); got != want*time.Second {
				t.Errorf("failure %d: waited %v, want %v", n, got, want*time.Second)
			}
		}
		if q.Failures("a") != 5 || q.Failures("b") != 0 {
			t.Errorf("failures = %d, %d", q.Failures("a"), q.Failures("b"))
		}
		q.Forget("a")
		start := time.Now()
		q.AddRateLimited("a")
		get(t, q)
		if got := time.Since(start); got != time.Second {
			t.Errorf("after Forget: waited %v", got)
		}
	})
}

func TestGetEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New[string](queue.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		var ended atomic.Bool
		go func() {
			_, ok := q.Get(ctx)
			ended.Store(!ok)
		}()
		synctest.Wait()
		if ended.Load() {
			t.Fatal("Get did not wait")
		}
		cancel()
		synctest.Wait()
		if !ended.Load() {
			t.Fatal("Get did not end")
		}
	})
}

func TestShutDownAndDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New[string](queue.Options{Name: "drain"})
		q.Add("waiting")
		q.Add("working")
		q.AddAfter("delayed", time.Hour)
		if get(t, q) != "waiting" {
			t.Fatal("order")
		}
		var drained atomic.Bool
		go func() { drained.Store(q.Drain(t.Context()) == nil) }()
		synctest.Wait()
		q.Add("refused")
		q.AddAfter("refused", time.Second)
		if get(t, q) != "working" {
			t.Fatal("what waited is lost in a shutdown")
		}
		if _, ok := q.Get(t.Context()); ok {
			t.Fatal("a key was added after the shutdown")
		}
		q.Done("waiting")
		synctest.Wait()
		if drained.Load() {
			t.Fatal("drained with a key in work")
		}
		q.Done("working")
		synctest.Wait()
		if !drained.Load() {
			t.Fatal("not drained")
		}
		q.ShutDown()
	})
}

func TestManyWorkers(t *testing.T) {
	const keys, rounds, workers = 50, 200, 8
	q := queue.New[int](queue.Options{})
	var inWork [keys]atomic.Bool
	var handled atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				k, ok := q.Get(t.Context())
				if !ok {
					return
				}
				if inWork[k].Swap(true) {
					t.Errorf("key %d has two workers", k)
				}
				handled.Add(1)
				inWork[k].Store(false)
				q.Done(k)
			}
		})
	}
	for r := range rounds {
		for k := range keys {
			q.Add((k + r) % keys)
		}
	}
	if err := q.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if n := handled.Load(); n < keys || n > keys*rounds {
		t.Errorf("handled %d times", n)
	}
}

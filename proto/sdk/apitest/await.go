package apitest

import (
	"context"
	"testing"

	"github.com/keelson/keelson/proto/sdk/client"
)

// Create stores an object and returns it as stored, or ends the test.
func Create[T client.Object](t testing.TB, s *Server, obj T) T {
	t.Helper()
	out, err := client.For[T](s.Conn).Create(t.Context(), obj)
	if err != nil {
		t.Fatalf("create %s: %v", client.KeyOf(obj), err)
	}
	return out
}

// Await returns the object's first state, present or future, of which ok holds. It waits on a watch; the test ends
// where that takes too long.
func Await[T client.Object](t testing.TB, s *Server, namespace, name string, ok func(T) bool) T {
	t.Helper()
	var out T
	await(t, s, namespace, name, func(e client.WatchEvent[T]) bool {
		if e.Type != client.Deleted && e.Type != client.Bookmark && ok(e.Object) {
			out = e.Object
			return true
		}
		return false
	})
	return out
}

// AwaitGone returns once the object does not exist.
func AwaitGone[T client.Object](t testing.TB, s *Server, namespace, name string) {
	t.Helper()
	exists := false
	await(t, s, namespace, name, func(e client.WatchEvent[T]) bool {
		switch {
		case e.Type == client.Bookmark:
			return e.InitialEventsEnd && !exists
		case e.Type == client.Deleted:
			return true
		}
		exists = true
		return false
	})
}

// await watches one object until done says so.
func await[T client.Object](t testing.TB, s *Server, namespace, name string, done func(client.WatchEvent[T]) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := client.For[T](s.Conn)
	w, err := c.Watch(ctx, client.WatchOptions{
		Namespace: namespace, FieldSelector: "metadata.name=" + name, SendInitialEvents: true, AllowBookmarks: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var last T
	for {
		events, err := w.Next()
		if err != nil {
			t.Fatalf("waiting for %s %s: %v; it is %v", c.Kind().Plural, client.Key{Namespace: namespace, Name: name}, err, last)
		}
		for _, e := range events {
			if e.Type != client.Bookmark {
				last = e.Object
			}
			if done(e) {
				return
			}
		}
	}
}

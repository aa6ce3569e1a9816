package door

import (
	"context"
	"testing"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
)

const namespace = "bench"

// filled is a door to a server that has n pods.
func filled(t *testing.T, n int) *GRPC {
	t.Helper()
	s := apitest.New(t)
	d, err := newGRPC(func() (*client.Conn, error) { return s.As(t, apitest.Admin), nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CreateNamespace(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	batch, err := d.Batch(t.Context(), namespace, n)
	if err != nil {
		t.Fatal(err)
	}
	if err := batch(); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestGRPCListsAndDeletes(t *testing.T) {
	d := filled(t, 110)
	for labels, want := range map[string]int{"": 110, pods.Cohort(3): 2, pods.Cohort(50): 1, pods.Half(1): 55} {
		if l, err := d.List(t.Context(), namespace, labels); err != nil || l.Pods != want || l.Bytes < int64(want)*1000 {
			t.Errorf("list of %q: %+v, %v; want %d pods", labels, l, err, want)
		}
	}
	if err := d.DeleteCollection(t.Context(), namespace, pods.Half(1)); err != nil {
		t.Fatal(err)
	}
	if l, err := d.List(t.Context(), namespace, ""); err != nil || l.Pods != 55 {
		t.Errorf("half of the pods deleted: %+v, %v are left", l, err)
	}
}

func TestGRPCBatchTellsAFailure(t *testing.T) {
	d := filled(t, 3)
	batch, err := d.Batch(t.Context(), namespace, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := batch(); err == nil {
		t.Error("pods that exist were created")
	}
}

func TestGRPCWatchSeesEveryMark(t *testing.T) {
	d := filled(t, 2)
	after, err := d.Revision(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := c.Watcher(namespace, after)
	ctx, cancel := context.WithCancel(t.Context())
	opened, seen, ended := make(chan struct{}), make(chan time.Time, 2), make(chan error, 1)
	go func() {
		ended <- w.Run(ctx, func() { close(opened) }, func(mark time.Time) { seen <- mark })
	}()
	<-opened
	held, err := d.Get(t.Context(), namespace, pods.Name(1))
	if err != nil {
		t.Fatal(err)
	}
	updated, patched := time.Now(), time.Now().Add(time.Second)
	if err := held.Update(t.Context(), updated); err != nil {
		t.Fatal(err)
	}
	if err := d.Patch(t.Context(), namespace, pods.Name(0), patched); err != nil {
		t.Fatal(err)
	}
	for _, want := range []time.Time{updated, patched} {
		if got := <-seen; !got.Equal(want) {
			t.Errorf("the event has mark %v, want %v", got, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the watch ended with %v", err)
	}
}

package client_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/internal/memconn"
	"github.com/keelson/keelson/proto/sdk/internal/scripted"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type batchServer = grpc.BidiStreamingServer[resourcev1.BatchRequest, resourcev1.BatchResponse]

// echo answers each create with its object, and each delete with NotFound.
func echo(s batchServer) error {
	for {
		r, err := s.Recv()
		if err != nil {
			return nil
		}
		resp := &resourcev1.BatchResponse{Id: r.Id}
		if c := r.GetCreate(); c != nil {
			resp.Object = c.Object
		} else {
			resp.Error = apierrors.FromError(apierrors.NewNotFound("", "pods", r.GetDelete().GetRef().GetName()))
		}
		if err := s.Send(resp); err != nil {
			return err
		}
	}
}

func TestBatchResultsPerItem(t *testing.T) {
	l := memconn.New(t, &scripted.Service{OnBatch: echo})
	b := client.For[*corev1.Pod](l.Conn).Batch(t.Context())
	defer b.Close()
	const n = 3 * client.PipelineWindow
	var mu sync.Mutex
	created := map[string]bool{}
	var missing atomic.Int64
	for i := range n {
		name := fmt.Sprint("p", i)
		if err := b.Create(pod(name, 0), func(p *corev1.Pod, err error) {
			if err != nil || p.Metadata.Name != name {
				t.Errorf("%s: %v, %v", name, p, err)
			}
			mu.Lock()
			created[name] = true
			mu.Unlock()
		}); err != nil {
			t.Fatal(err)
		}
		if err := b.Delete("default", name, func(err error) {
			if apierrors.IsNotFound(err) {
				missing.Add(1)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Create(pod("nobody waits", 0), nil); err != nil {
		t.Fatal(err)
	}
	b.Wait()
	if len(created) != n || missing.Load() != n {
		t.Errorf("%d created, %d missing", len(created), missing.Load())
	}
}

func TestBatchSurvivesItsStream(t *testing.T) {
	var streams atomic.Int64
	l := memconn.New(t, &scripted.Service{OnBatch: func(s batchServer) error {
		if streams.Add(1) == 1 {
			if _, err := s.Recv(); err != nil {
				return err
			}
			return status.Error(codes.Unavailable, "cut")
		}
		return echo(s)
	}})
	b := client.For[*corev1.Pod](l.Conn).Batch(t.Context())
	var failed, succeeded atomic.Int64
	count := func(_ *corev1.Pod, err error) {
		switch {
		case err == nil:
			succeeded.Add(1)
		case apierrors.IsServiceUnavailable(err):
			failed.Add(1)
		default:
			t.Error(err)
		}
	}
	if err := b.Create(pod("a", 0), count); err != nil {
		t.Fatal(err)
	}
	b.Wait()
	if err := b.Create(pod("b", 0), count); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if failed.Load() != 1 || succeeded.Load() != 1 {
		t.Errorf("%d failed, %d succeeded", failed.Load(), succeeded.Load())
	}
	if err := b.Create(pod("c", 0), count); err != client.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}

func TestBatchEndsWithItsContext(t *testing.T) {
	received := make(chan struct{})
	l := memconn.New(t, &scripted.Service{OnBatch: func(s batchServer) error {
		_, _ = s.Recv()
		close(received)
		<-s.Context().Done()
		return nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	b := client.For[*corev1.Pod](l.Conn).Batch(ctx)
	done := make(chan error, 1)
	if err := b.Create(pod("a", 0), func(_ *corev1.Pod, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	<-received
	cancel()
	if err := <-done; err == nil {
		t.Error("a write without an answer succeeded")
	}
	b.Close()
	if err := b.Create(pod("b", 0), nil); err == nil {
		t.Error("a write after the context's end")
	}
}

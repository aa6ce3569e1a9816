package client_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/internal/memconn"
	"github.com/keelson/keelson/proto/sdk/internal/scripted"
)

// A server that is too busy to begin with a write says when to come back, and the client does; what a disruption budget
// refuses with the same code is the caller's to know.
func TestThrottledWrites(t *testing.T) {
	budget := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 1)
	apierrors.FromError(budget).Details.Causes = []*metav1.StatusCause{{Reason: "DisruptionBudget"}}
	for _, tt := range []struct {
		err   error
		calls int32
		ok    bool
	}{
		{apierrors.NewTooManyRequests("Too many requests, please try again later.", 1), 2, true},
		{budget, 1, false},
	} {
		var calls atomic.Int32
		conn := memconn.New(t, &scripted.Service{OnCreate: func(context.Context, *resourcev1.CreateRequest) (*resourcev1.CreateResponse, error) {
			if calls.Add(1) == 1 {
				return nil, apierrors.ToGRPC(tt.err)
			}
			return &resourcev1.CreateResponse{Object: scripted.Object(pod("a", 1))}, nil
		}})
		_, err := client.For[*corev1.Pod](conn.Conn).Create(t.Context(), pod("a", 0))
		if calls.Load() != tt.calls || (err == nil) != tt.ok {
			t.Errorf("%d calls: %v", calls.Load(), err)
		}
	}
}

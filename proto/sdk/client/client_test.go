package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/internal/memconn"
	"github.com/keelson/keelson/proto/sdk/internal/scripted"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func pod(name string, revision int64) *corev1.Pod {
	return &corev1.Pod{Metadata: &metav1.ObjectMeta{
		Namespace: "default", Name: name, Uid: name + "-uid", ResourceVersion: fmt.Sprint(revision),
	}}
}

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		obj  client.Object
		want client.Kind
	}{
		{&corev1.Pod{}, client.Kind{Version: "v1", Kind: "Pod", Plural: "pods", Namespaced: true}},
		{&corev1.Node{}, client.Kind{Version: "v1", Kind: "Node", Plural: "nodes"}},
		{&appsv1.Deployment{}, client.Kind{Group: "apps", Version: "v1", Kind: "Deployment", Plural: "deployments", Namespaced: true}},
	} {
		if diff := cmp.Diff(c.want, client.KindOf(c.obj)); diff != "" {
			t.Error(diff)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a message that is no kind is taken for one")
		}
	}()
	client.KindOf(&metav1.ObjectMeta{})
}

func TestGetSendsAddressAndTrim(t *testing.T) {
	var got *resourcev1.GetRequest
	l := memconn.New(t, &scripted.Service{OnGet: func(_ context.Context, r *resourcev1.GetRequest) (*resourcev1.GetResponse, error) {
		got = r
		return &resourcev1.GetResponse{Object: scripted.Object(pod("a", 7))}, nil
	}})
	p, err := client.For[*corev1.Pod](l.Conn).Trim().Get(t.Context(), "default", "a", client.GetOptions{ResourceVersion: "0"})
	if err != nil {
		t.Fatal(err)
	}
	if client.Revision(p) != 7 || client.KeyOf(p).String() != "default/a" {
		t.Errorf("got %v", p)
	}
	want := &resourcev1.GetRequest{
		Ref:             &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Version: "v1", Plural: "pods"}, Namespace: "default", Name: "a"},
		ResourceVersion: "0", Encoding: resourcev1.Encoding_ENCODING_PROTOBUF, Trim: &resourcev1.Trim{ManagedFields: true},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestReadsAreRetriedWritesAreNot(t *testing.T) {
	var reads, writes atomic.Int64
	l := memconn.New(t, &scripted.Service{
		OnGet: func(context.Context, *resourcev1.GetRequest) (*resourcev1.GetResponse, error) {
			if reads.Add(1) < 3 {
				return nil, status.Error(codes.Unavailable, "restarting")
			}
			return &resourcev1.GetResponse{Object: scripted.Object(pod("a", 1))}, nil
		},
		OnCreate: func(context.Context, *resourcev1.CreateRequest) (*resourcev1.CreateResponse, error) {
			writes.Add(1)
			return nil, status.Error(codes.Unavailable, "restarting")
		},
	})
	pods := client.For[*corev1.Pod](l.Conn)
	if _, err := pods.Get(t.Context(), "default", "a"); err != nil || reads.Load() != 3 {
		t.Errorf("read: %v after %d calls", err, reads.Load())
	}
	if _, err := pods.Create(t.Context(), pod("a", 0)); !apierrors.IsServiceUnavailable(err) || writes.Load() != 1 {
		t.Errorf("write: %v after %d calls", err, writes.Load())
	}
}

func TestCallsWaitForAServer(t *testing.T) {
	var writes atomic.Int64
	service := &scripted.Service{OnCreate: func(context.Context, *resourcev1.CreateRequest) (*resourcev1.CreateResponse, error) {
		writes.Add(1)
		return &resourcev1.CreateResponse{Object: scripted.Object(pod("a", 1))}, nil
	}}
	l := memconn.New(t, service)
	l.Stop()
	done := make(chan error, 1)
	go func() {
		_, err := client.For[*corev1.Pod](l.Conn).Create(t.Context(), pod("a", 0))
		done <- err
	}()
	l.Start(service)
	if err := <-done; err != nil || writes.Load() != 1 {
		t.Errorf("%v after %d writes", err, writes.Load())
	}
	l.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.For[*corev1.Pod](l.Conn).Get(ctx, "default", "a")
	if !errors.Is(err, context.DeadlineExceeded) && !apierrors.IsServiceUnavailable(err) {
		t.Errorf("without a server: %v", err)
	}
}

func TestErrorsAreStatuses(t *testing.T) {
	l := memconn.New(t, &scripted.Service{OnUpdate: func(context.Context, *resourcev1.UpdateRequest) (*resourcev1.UpdateResponse, error) {
		return nil, apierrors.ToGRPC(apierrors.NewConflict("", "pods", "a", nil))
	}})
	_, err := client.For[*corev1.Pod](l.Conn).UpdateStatus(t.Context(), pod("a", 1))
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), apierrors.OptimisticLock) {
		t.Errorf("got %v", err)
	}
}

func TestListChunksAndBrokenStream(t *testing.T) {
	var calls atomic.Int64
	l := memconn.New(t, &scripted.Service{OnList: func(r *resourcev1.ListRequest, s grpc.ServerStreamingServer[resourcev1.ListResponse]) error {
		if err := s.Send(&resourcev1.ListResponse{Revision: 9, Objects: []*resourcev1.Object{scripted.Object(pod("a", 1))}}); err != nil {
			return err
		}
		if calls.Add(1) == 1 {
			return status.Error(codes.Unavailable, "cut in the middle")
		}
		return s.Send(&resourcev1.ListResponse{Revision: 9, ContinueToken: "next", Remaining: proto.Int64(4),
			Objects: []*resourcev1.Object{scripted.Object(pod("b", 2))}})
	}})
	p, err := client.For[*corev1.Pod](l.Conn).ListPage(t.Context(), client.ListOptions{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Items) != 2 || p.Revision != 9 || p.Continue != "next" || *p.Remaining != 4 {
		t.Errorf("page = %+v", p)
	}
}

func TestListGoesOnPastABrokenObject(t *testing.T) {
	l := memconn.New(t, &scripted.Service{OnList: func(_ *resourcev1.ListRequest, s grpc.ServerStreamingServer[resourcev1.ListResponse]) error {
		return s.Send(&resourcev1.ListResponse{Revision: 9, Objects: []*resourcev1.Object{
			scripted.Object(pod("a", 1)), {Raw: []byte("\x0a\xff"), Revision: 5}, scripted.Object(pod("b", 2)),
		}})
	}})
	pods, revision, err := client.For[*corev1.Pod](l.Conn).List(t.Context(), client.ListOptions{})
	if len(pods) != 2 || revision != 9 {
		t.Errorf("got %d at %d", len(pods), revision)
	}
	if err == nil || !strings.Contains(err.Error(), "revision 5") {
		t.Errorf("err = %v", err)
	}
}

func TestSub(t *testing.T) {
	var got *resourcev1.CreateRequest
	l := memconn.New(t, &scripted.Service{OnCreate: func(_ context.Context, r *resourcev1.CreateRequest) (*resourcev1.CreateResponse, error) {
		got = r
		return &resourcev1.CreateResponse{}, nil
	}})
	pods := client.For[*corev1.Pod](l.Conn)
	binding := &corev1.Binding{Metadata: &metav1.ObjectMeta{Name: "a"}, Target: &corev1.ObjectReference{Kind: "Node", Name: "n1"}}
	if _, err := client.Sub[*corev1.Binding, *metav1.Status](t.Context(), l.Conn, pods.Ref("default", "a", "binding"), binding); err != nil {
		t.Fatal(err)
	}
	sent := &corev1.Binding{}
	if err := proto.Unmarshal(got.Object.Raw, sent); err != nil || sent.Target.Name != "n1" || got.Ref.Subresource != "binding" {
		t.Errorf("sent %v %v", got, err)
	}
}

func TestDeleteOptions(t *testing.T) {
	var got *resourcev1.DeleteRequest
	l := memconn.New(t, &scripted.Service{OnDelete: func(_ context.Context, r *resourcev1.DeleteRequest) (*resourcev1.DeleteResponse, error) {
		got = r
		return &resourcev1.DeleteResponse{Deleted: true}, nil
	}})
	err := client.For[*corev1.Pod](l.Conn).Delete(t.Context(), "default", "a", client.DeleteOptions{
		GracePeriodSeconds: proto.Int64(0), Preconditions: client.UID("u"), PropagationPolicy: client.Foreground, DryRun: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &metav1.DeleteOptions{GracePeriodSeconds: proto.Int64(0), Preconditions: &metav1.Preconditions{Uid: proto.String("u")},
		PropagationPolicy: proto.String("Foreground"), DryRun: []string{"All"}}
	if diff := cmp.Diff(want, got.Options, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

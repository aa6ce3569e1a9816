package pipeline_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

func dial(t testing.TB, svc resourcev1.ResourceServiceServer) resourcev1.ResourceServiceClient {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(8 << 20))
	resourcev1.RegisterResourceServiceServer(srv, svc)
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(srv.Stop)
	conn, err := grpc.NewClient("passthrough:///pipeline", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUserAgent("tester/1.0"), grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return resourcev1.NewResourceServiceClient(conn)
}

func TestGRPCDoor(t *testing.T) {
	h := start(t)
	c := dial(t, h.s.GRPC())
	created, err := c.Create(h.ctx, &resourcev1.CreateRequest{Ref: ref("", "configmaps", "default", ""), Object: pb(t, configMap("a", map[string]string{"k": "v"}))})
	if err != nil {
		t.Fatal(err)
	}
	cm := &corev1.ConfigMap{}
	if err := proto.Unmarshal(created.Object.Raw, cm); err != nil {
		t.Fatal(err)
	}
	if m := cm.Metadata.ManagedFields; len(m) != 1 || m[0].Manager != "tester" {
		t.Fatalf("managed by %v", m)
	}
	got, err := c.Get(h.ctx, &resourcev1.GetRequest{Ref: ref("", "configmaps", "default", "a"), Encoding: resourcev1.Encoding_ENCODING_JSON, Trim: &resourcev1.Trim{ManagedFields: true}})
	if err != nil || strings.Contains(string(got.Object.Raw), "managedFields") || !strings.Contains(string(got.Object.Raw), `"resourceVersion":"`+cm.Metadata.ResourceVersion+`"`) {
		t.Fatalf("%s, %v", got.GetObject().GetRaw(), err)
	}
	_, err = c.Get(h.ctx, &resourcev1.GetRequest{Ref: ref("", "configmaps", "default", "none")})
	if status.Code(err) != codes.NotFound || !apierrors.IsNotFound(apierrors.FromGRPC(err)) {
		t.Fatal(err)
	}
}

func TestGRPCBatchAndList(t *testing.T) {
	h := start(t)
	c := dial(t, h.s.GRPC())
	b, err := c.Batch(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	const n = 500
	payload := strings.Repeat("x", 8<<10)
	go func() {
		for i := range n {
			cm := configMap(fmt.Sprintf("c%03d", i%(n-1)), map[string]string{"k": payload}) // one name twice
			_ = b.Send(&resourcev1.BatchRequest{Id: uint64(i), Request: &resourcev1.BatchRequest_Create{Create: &resourcev1.CreateRequest{
				Ref: ref("", "configmaps", "default", ""), Object: pb(t, cm), Options: &resourcev1.WriteOptions{OmitObject: true},
			}}})
		}
		_ = b.CloseSend()
	}()
	var failed int
	for range n {
		resp, err := b.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.Error != nil {
			failed++
			if resp.Error.Reason != "AlreadyExists" {
				t.Fatal(resp.Error)
			}
		} else if len(resp.Object.Raw) != 0 || resp.Object.Revision == 0 {
			t.Fatalf("result %v", resp)
		}
	}
	if failed != 1 {
		t.Fatalf("%d failed", failed)
	}
	l, err := c.List(h.ctx, &resourcev1.ListRequest{Selection: selection("", "configmaps", "default")})
	if err != nil {
		t.Fatal(err)
	}
	chunks, objects := 0, 0
	for {
		resp, err := l.Recv()
		if err != nil {
			break
		}
		chunks++
		objects += len(resp.Objects)
	}
	if objects != n-1 || chunks < 5 {
		t.Fatalf("%d objects in %d chunks", objects, chunks)
	}
}

func TestGRPCWatch(t *testing.T) {
	h := start(t)
	c := dial(t, h.s.GRPC())
	w, err := c.Watch(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	open := &resourcev1.WatchOpen{Selection: selection("", "configmaps", ""), SendInitialEvents: true, Acknowledger: "proxy/n1"}
	if err := w.Send(&resourcev1.WatchRequest{Request: &resourcev1.WatchRequest_Open{Open: open}}); err != nil {
		t.Fatal(err)
	}
	first, err := w.Recv()
	if err != nil || !first.Events[0].InitialEventsEnd {
		t.Fatalf("%v, %v", first, err)
	}
	it := h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", nil))
	second, err := w.Recv()
	if err != nil || second.Events[0].Object.Revision != it.Revision {
		t.Fatalf("%v, %v", second, err)
	}
	if err := w.Send(&resourcev1.WatchRequest{Request: &resourcev1.WatchRequest_Acknowledge{Acknowledge: &resourcev1.WatchAcknowledge{Revision: it.Revision}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Send(&resourcev1.WatchRequest{Request: &resourcev1.WatchRequest_Progress{Progress: &resourcev1.WatchProgress{}}}); err != nil {
		t.Fatal(err)
	}
	// The stream is read in order: the bookmark comes after the acknowledgement was taken.
	if _, err := w.Recv(); err != nil {
		t.Fatal(err)
	}
	if got := h.s.Acknowledged("", "configmaps")["proxy/n1"]; got != it.Revision {
		t.Fatalf("acknowledged %d, want %d", got, it.Revision)
	}
}

// A client keeps its batch stream open for as long as it runs: the server's end is the stream's.
func TestGRPCBatchEndsWithTheServer(t *testing.T) {
	h := start(t)
	b, err := dial(t, h.s.GRPC()).Batch(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Send(&resourcev1.BatchRequest{Id: 1, Request: &resourcev1.BatchRequest_Create{Create: &resourcev1.CreateRequest{
		Ref: ref("", "configmaps", "default", "a"), Object: pb(t, configMap("a", nil)),
	}}}); err != nil {
		t.Fatal(err)
	}
	if resp, err := b.Recv(); err != nil || resp.GetError() != nil {
		t.Fatal(resp, err)
	}
	h.s.Close()
	if _, err := b.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ends with %v", err)
	}
}

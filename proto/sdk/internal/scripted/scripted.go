// Package scripted is a resource service that tests play by hand: each call is a function of the test, and watches are
// handed to it as they are opened.
package scripted

import (
	"context"
	"testing"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Service calls the functions that are set; the others are unimplemented.
type Service struct {
	resourcev1.UnimplementedResourceServiceServer
	OnGet    func(context.Context, *resourcev1.GetRequest) (*resourcev1.GetResponse, error)
	OnList   func(*resourcev1.ListRequest, grpc.ServerStreamingServer[resourcev1.ListResponse]) error
	OnCreate func(context.Context, *resourcev1.CreateRequest) (*resourcev1.CreateResponse, error)
	OnUpdate func(context.Context, *resourcev1.UpdateRequest) (*resourcev1.UpdateResponse, error)
	OnPatch  func(context.Context, *resourcev1.PatchRequest) (*resourcev1.PatchResponse, error)
	OnDelete func(context.Context, *resourcev1.DeleteRequest) (*resourcev1.DeleteResponse, error)
	OnBatch  func(grpc.BidiStreamingServer[resourcev1.BatchRequest, resourcev1.BatchResponse]) error
	// Watches receives each watch when it is opened. Nil refuses watches.
	Watches chan *Watch
}

// Get implements the service.
func (s *Service) Get(ctx context.Context, r *resourcev1.GetRequest) (*resourcev1.GetResponse, error) {
	if s.OnGet == nil {
		return s.UnimplementedResourceServiceServer.Get(ctx, r)
	}
	return s.OnGet(ctx, r)
}

// List implements the service.
func (s *Service) List(r *resourcev1.ListRequest, st grpc.ServerStreamingServer[resourcev1.ListResponse]) error {
	if s.OnList == nil {
		return s.UnimplementedResourceServiceServer.List(r, st)
	}
	return s.OnList(r, st)
}

// Create implements the service.
func (s *Service) Create(ctx context.Context, r *resourcev1.CreateRequest) (*resourcev1.CreateResponse, error) {
	if s.OnCreate == nil {
		return s.UnimplementedResourceServiceServer.Create(ctx, r)
	}
	return s.OnCreate(ctx, r)
}

// Update implements the service.
func (s *Service) Update(ctx context.Context, r *resourcev1.UpdateRequest) (*resourcev1.UpdateResponse, error) {
	if s.OnUpdate == nil {
		return s.UnimplementedResourceServiceServer.Update(ctx, r)
	}
	return s.OnUpdate(ctx, r)
}

// Patch implements the service.
func (s *Service) Patch(ctx context.Context, r *resourcev1.PatchRequest) (*resourcev1.PatchResponse, error) {
	if s.OnPatch == nil {
		return s.UnimplementedResourceServiceServer.Patch(ctx, r)
	}
	return s.OnPatch(ctx, r)
}

// Delete implements the service.
func (s *Service) Delete(ctx context.Context, r *resourcev1.DeleteRequest) (*resourcev1.DeleteResponse, error) {
	if s.OnDelete == nil {
		return s.UnimplementedResourceServiceServer.Delete(ctx, r)
	}
	return s.OnDelete(ctx, r)
}

// Batch implements the service.
func (s *Service) Batch(st grpc.BidiStreamingServer[resourcev1.BatchRequest, resourcev1.BatchResponse]) error {
	if s.OnBatch == nil {
		return s.UnimplementedResourceServiceServer.Batch(st)
	}
	return s.OnBatch(st)
}

// Watch implements the service.
func (s *Service) Watch(st grpc.BidiStreamingServer[resourcev1.WatchRequest, resourcev1.WatchResponse]) error {
	if s.Watches == nil {
		return s.UnimplementedResourceServiceServer.Watch(st)
	}
	first, err := st.Recv()
	if err != nil {
		return err
	}
	w := &Watch{
		Open: first.GetOpen(), Requests: make(chan *resourcev1.WatchRequest, 1024), Gone: st.Context().Done(),
		stream: st, end: make(chan error, 1),
	}
	go func() {
		for {
			r, err := st.Recv()
			if err != nil {
				return
			}
			w.Requests <- r
		}
	}()
	select {
	case s.Watches <- w:
	case <-st.Context().Done():
		return st.Context().Err()
	}
	select {
	case err := <-w.end:
		return err
	case <-st.Context().Done():
		return st.Context().Err()
	}
}

// Watch is the server's side of one watch.
type Watch struct {
	Open *resourcev1.WatchOpen
	// Requests are those that follow the opening one.
	Requests chan *resourcev1.WatchRequest
	// Gone is closed when the client is.
	Gone   <-chan struct{}
	stream grpc.BidiStreamingServer[resourcev1.WatchRequest, resourcev1.WatchResponse]
	end    chan error
}

// Send sends events in one message.
func (w *Watch) Send(t testing.TB, events ...*resourcev1.WatchEvent) {
	t.Helper()
	if err := w.stream.Send(&resourcev1.WatchResponse{Events: events}); err != nil {
		t.Fatal(err)
	}
}

// End ends the watch; nil is the regular end.
func (w *Watch) End(err error) { w.end <- err }

// Event returns an event of an object at its resource version.
func Event(kind client.EventType, obj client.Object) *resourcev1.WatchEvent {
	return &resourcev1.WatchEvent{Type: kind, Object: Object(obj)}
}

// Bookmark returns a bookmark.
func Bookmark(revision int64, initialEnd bool) *resourcev1.WatchEvent {
	return &resourcev1.WatchEvent{Type: client.Bookmark, Object: &resourcev1.Object{Revision: revision}, InitialEventsEnd: initialEnd}
}

// Object returns the object as the waist carries it.
func Object(obj client.Object) *resourcev1.Object {
	raw, err := proto.Marshal(obj)
	if err != nil {
		panic(err)
	}
	return &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF, Revision: client.Revision(obj)}
}

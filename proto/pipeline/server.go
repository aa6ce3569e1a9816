package pipeline

import (
	"context"
	"errors"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// Server is the pipeline. All methods may be called concurrently; the caller's identity comes with the context
// (package identity).
type Server struct {
	cfg Config
}

var errLater = errors.New("pipeline: not wired yet")

// New returns a server that does not run yet: Start fills its caches.
func New(cfg Config) (*Server, error) { return &Server{cfg: cfg}, nil }

// Start fills the caches, creates what every cluster has (namespaces, priority classes), and returns once requests can
// be served. The context bounds the start only.
func (s *Server) Start(ctx context.Context) error { return errLater }

// Close ends all watches and waits for the server's goroutines.
func (s *Server) Close() {}

// Get returns one object.
func (s *Server) Get(ctx context.Context, r *resourcev1.GetRequest) (*Item, error) {
	return nil, errLater
}

// List returns one page of a collection.
func (s *Server) List(ctx context.Context, r *resourcev1.ListRequest) (*List, error) {
	return nil, errLater
}

// Watch opens a watch. The caller closes it.
func (s *Server) Watch(ctx context.Context, r *resourcev1.WatchOpen) (*Watch, error) {
	return nil, errLater
}

// Create stores a new object, or posts to a subresource.
func (s *Server) Create(ctx context.Context, r *resourcev1.CreateRequest) (*Result, error) {
	return nil, errLater
}

// Update replaces an object or one of its subresources.
func (s *Server) Update(ctx context.Context, r *resourcev1.UpdateRequest) (*Result, error) {
	return nil, errLater
}

// Patch changes an object by one of the four patch types.
func (s *Server) Patch(ctx context.Context, r *resourcev1.PatchRequest) (*Result, error) {
	return nil, errLater
}

// Delete removes an object, or marks it for deletion.
func (s *Server) Delete(ctx context.Context, r *resourcev1.DeleteRequest) (*Result, error) {
	return nil, errLater
}

// DeleteCollection deletes every object that the selection matches and returns them.
func (s *Server) DeleteCollection(ctx context.Context, r *resourcev1.DeleteCollectionRequest) ([]*Item, error) {
	return nil, errLater
}

// Watch is an open watch. Its methods may be called from several goroutines, Next from one at a time.
type Watch struct{}

// Next blocks until there are events, at least one. Errors are final: 410 Expired where the watcher is too slow.
func (w *Watch) Next(ctx context.Context) ([]Event, error) { return nil, errLater }

// Progress asks for a bookmark at the current revision; it comes through Next.
func (w *Watch) Progress() {}

// Acknowledge says that the watcher has acted on everything up to a revision.
func (w *Watch) Acknowledge(revision int64) {}

// Close ends the watch.
func (w *Watch) Close() {}

// GRPC returns the gRPC door.
func (s *Server) GRPC() resourcev1.ResourceServiceServer {
	return resourcev1.UnimplementedResourceServiceServer{}
}

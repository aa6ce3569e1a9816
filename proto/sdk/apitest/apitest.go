// Package apitest is an API server for component tests: the real pipeline over a memory store, reached over real gRPC
// through an in-memory listener. Revisions, conflicts, watches, defaults and validation are the API server's own; what
// is missing is etcd, TLS and, unless a test asks for one, an authorizer.
//
//	s := apitest.New(t)
//	pods := client.For[*corev1.Pod](s.Conn)
//
// The server passes the suite of package conformance. It ends with the test.
package apitest

import (
	"context"
	"testing"
	"time"

	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/internal/memconn"
)

// patience bounds what a test waits for; only a failing test makes it pass.
const patience = 30 * time.Second

// Admin is who a test is unless it asks for somebody else.
var Admin = &identity.User{Name: "kubernetes-admin", Groups: []string{identity.GroupMasters, identity.GroupAuthenticated}}

// Server is an API server in memory.
type Server struct {
	// Conn is a connection of Admin.
	Conn *client.Conn
	// Store holds the objects; it survives Restart.
	Store store.Store

	config   pipeline.Config
	pipeline *pipeline.Server
	link     *memconn.Link
}

// Option changes the pipeline's configuration.
type Option func(*pipeline.Config)

// New starts a server. It allows everything to everybody unless an option sets an authorizer. Pods need no service account
// and new nodes no controller that takes away their not-ready taint: a test of those sets WithoutAdmission back to nil.
func New(t testing.TB, options ...Option) *Server {
	t.Helper()
	s := &Server{config: pipeline.Config{
		Registry: schema.Builtin(), Store: memory.New(), WithoutAdmission: []string{"ServiceAccount", "TaintNodesByCondition"},
	}}
	for _, o := range options {
		o(&s.config)
	}
	s.Store = s.config.Store
	t.Cleanup(func() { _ = s.Store.Close() })
	s.start(t)
	t.Cleanup(func() { s.pipeline.Close() })
	s.link = memconn.New(t, s.pipeline.GRPC(), authenticate()...)
	s.Conn = s.As(t, Admin)
	return s
}

func (s *Server) start(t testing.TB) {
	t.Helper()
	p, err := pipeline.New(s.config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	s.pipeline = p
}

// Pipeline returns the server behind the gRPC door. Restart replaces it.
func (s *Server) Pipeline() *pipeline.Server { return s.pipeline }

// As returns a connection of another user.
func (s *Server) As(t testing.TB, u *identity.User) *client.Conn {
	t.Helper()
	return s.link.Connect(t, introduce(u)...)
}

// Cut breaks all connections and lets clients connect again: a network that failed for a moment.
func (s *Server) Cut() {
	s.link.Stop()
	s.link.Start(s.pipeline.GRPC())
}

// Stop breaks all connections and refuses new ones until Restart.
func (s *Server) Stop() { s.link.Stop() }

// Restart replaces the server by a new one over the same store: what it had in memory is gone, its watches' history
// for one.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.link.Stop()
	s.pipeline.Close()
	s.start(t)
	s.link.Start(s.pipeline.GRPC())
}

// Forget makes the past unavailable: the store is compacted at its present revision and the server starts anew.
func (s *Server) Forget(t testing.TB) {
	t.Helper()
	revision, err := s.Store.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Store.Compact(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
}

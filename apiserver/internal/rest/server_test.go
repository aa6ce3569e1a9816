package rest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
)

// byHeader trusts a header; without it the caller is anonymous.
type byHeader struct{}

func (byHeader) AuthenticateRequest(r *http.Request) (*identity.User, error) {
	if name := r.Header.Get("X-User"); name != "" {
		return &identity.User{Name: name, Groups: []string{identity.GroupAuthenticated}}, nil
	}
	return &identity.User{Name: identity.Anonymous, Groups: []string{identity.GroupUnauthenticated}}, nil
}

// adminOnly allows "admin" everything and nobody anything else but health.
type adminOnly struct{}

func (adminOnly) Authorize(_ context.Context, a pipeline.Attributes) (pipeline.Decision, string, error) {
	if a.User.Name == "admin" || a.User.InGroup(identity.GroupMasters) || strings.HasPrefix(a.Path, "/healthz") {
		return pipeline.Allow, "", nil
	}
	return pipeline.NoOpinion, "", nil
}

// start serves the real pipeline over a memory store.
func start(t *testing.T, options ...func(*pipeline.Config)) *httptest.Server {
	t.Helper()
	s := handler(t, options...)
	srv := httptest.NewServer(s)
	t.Cleanup(func() { end(t, s); srv.Close() })
	return srv
}

func end(t *testing.T, s *Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// handler is the door to the real pipeline over a memory store.
func handler(t *testing.T, options ...func(*pipeline.Config)) *Server {
	t.Helper()
	log := zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	cfg := pipeline.Config{Registry: schema.Builtin(), Store: memory.New(), Authorizer: adminOnly{}, Logger: log}
	for _, o := range options {
		o(&cfg)
	}
	p, err := pipeline.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Registry: schema.Builtin(), Pipeline: p, Authenticator: byHeader{}, Authorizer: adminOnly{}, Logger: log,
		Version: Version{Major: "1", Minor: "37", GitVersion: "v1.37.0+keelson"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return s
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

// do makes a request as admin. header holds pairs of names and values.
func do(t *testing.T, srv *httptest.Server, method, path, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-User", "admin")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(b)}
}

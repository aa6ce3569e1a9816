// Package rest is the door for people and the ecosystem: Kubernetes' HTTP API, derived from the registry of kinds and
// thin over the pipeline. It translates URLs, representations and errors; what a request means is decided behind it.
//
//	request ─ audit id ─ panic guard ─ authenticate ─ impersonate ─ fairness ─┬─ /api, /apis: pipeline, or a stream into a node
//	                                                                           └─ discovery, OpenAPI, version, health, metrics
package rest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/keelson/keelson/apiserver/internal/fairness"
	"github.com/keelson/keelson/apiserver/internal/rest/discovery"
	"github.com/keelson/keelson/apiserver/internal/rest/health"
	"github.com/keelson/keelson/apiserver/internal/rest/podstream"
	"github.com/keelson/keelson/apiserver/internal/rest/proxy"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/schema"
)

// Authenticator tells who makes a request. A request without credentials is the anonymous user's; wrong credentials are
// an error.
type Authenticator interface {
	AuthenticateRequest(r *http.Request) (*identity.User, error)
}

// Config is what the door needs.
type Config struct {
	Registry      *schema.Registry
	Pipeline      *pipeline.Server
	Authenticator Authenticator
	// Authorizer decides about paths and streams; the pipeline asks the same one about everything else.
	Authorizer pipeline.Authorizer
	// Sessions reaches into nodes, for logs, exec, attach and port-forward.
	Sessions podstream.Open
	Health   *health.Set
	// Documents are further fixed documents by path: OpenAPI, the issuer's keys. They are authorized as paths.
	Documents map[string]http.Handler
	// Metrics serves /metrics.
	Metrics http.Handler
	// Registerer takes the door's own metrics; nil keeps none.
	Registerer prometheus.Registerer
	Logger     *zap.Logger
	// Address is where clients are told to find this server: host:port.
	Address string
	// RequestTimeout bounds requests other than watches and streams. Default: one minute, as Kubernetes.
	RequestTimeout time.Duration
	// MaxBody is the longest request body in bytes. Default: 3 MiB, as Kubernetes.
	MaxBody int64
	// Limiter shares the server out among its clients. Nil: one of this door's own, with what every cluster starts with.
	Limiter *fairness.Limiter
	// Extensions are other servers that add to the API; nil where there are none.
	Extensions Extensions
	// Version is what /version says.
	Version Version
}

// Server is the door. It is an http.Handler; Close ends what lasts.
type Server struct {
	cfg       Config
	discovery *discovery.Live
	streams   *podstream.Handler
	proxies   *proxy.Handler
	metrics   *metrics

	slack  time.Duration // see transferSlack
	stalls stalls

	// ctx ends long-running requests when the server stops.
	ctx  context.Context
	stop context.CancelFunc
	// running counts requests being served: hijacked connections are not http.Server's to wait for.
	running sync.WaitGroup
	gate    sync.RWMutex // held while a request enters, so that Close does not race with running.Add
	closed  bool
}

// New returns the door.
func New(cfg Config) (*Server, error) {
	if cfg.Registry == nil || cfg.Pipeline == nil || cfg.Authenticator == nil || cfg.Authorizer == nil {
		return nil, errors.New("rest: registry, pipeline, authenticator and authorizer are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.RequestTimeout == 0 {
		cfg.RequestTimeout = time.Minute
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 3 << 20
	}
	if cfg.Limiter == nil {
		cfg.Limiter = fairness.New(fairness.Options{})
	}
	if cfg.Health == nil {
		cfg.Health = health.New(nil)
	}
	s := &Server{cfg: cfg, slack: transferSlack, metrics: newMetrics(cfg.Registerer)}
	s.discovery = discovery.NewLive(cfg.Registry, s.serves, cfg.Address, others(cfg.Extensions))
	s.ctx, s.stop = context.WithCancel(context.Background())
	read := objects{cfg.Pipeline}
	s.streams = podstream.New(podstream.Config{Pod: read.Pod, Open: cfg.Sessions})
	s.proxies = proxy.New(proxy.Config{Objects: read, Open: cfg.Sessions, Logger: cfg.Logger})
	return s, nil
}

// Close ends watches and streams, refuses new requests and waits for those being served, until the context ends.
func (s *Server) Close(ctx context.Context) error {
	s.gate.Lock()
	s.closed = true
	s.gate.Unlock()
	s.stop()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter counts a request in; false where the server is closing.
func (s *Server) enter() bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

// listPaths is what "/" shows.
func (s *Server) listPaths() []string {
	paths := append(s.discovery.Paths(), s.cfg.Health.Paths()...)
	paths = append(paths, "/version")
	if s.cfg.Metrics != nil {
		paths = append(paths, "/metrics")
	}
	for p := range s.cfg.Documents {
		if !strings.HasSuffix(p, "/") {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

// serves tells whether a subresource's behaviour exists, here or in the pipeline.
func (s *Server) serves(k *schema.Kind, sub string) bool {
	return podstream.Serves(k, sub) || proxy.Serves(k, sub) || s.cfg.Pipeline.Serves(k, sub)
}

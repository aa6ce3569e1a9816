package embed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/keelson/keelson/apiserver/internal/bound"
	"github.com/keelson/keelson/apiserver/internal/grpcdoor"
	"github.com/keelson/keelson/apiserver/internal/rest"
	"github.com/keelson/keelson/apiserver/internal/rest/apidocs"
	"github.com/keelson/keelson/apiserver/internal/rest/h2"
	"github.com/keelson/keelson/apiserver/internal/rest/health"
	"github.com/keelson/keelson/apiserver/internal/rest/podstream"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
	"github.com/keelson/keelson/proto/schema/openapi"
)

// KubernetesVersion is the version of Kubernetes whose API is served.
const KubernetesVersion = "v1.37.0+keelson"

// Bounds on REST connections.
const (
	// idleTimeout is how long an unused one stays open.
	idleTimeout = 3 * time.Minute
	// headerTimeout is how long a client may take for the TLS handshake, and for a request's header.
	headerTimeout = 32 * time.Second
	// maxHeader is how long a header may be: room for tokens and for every group that somebody is impersonated with.
	maxHeader = 256 << 10
	// maxConnections is how many a door takes, and maxFromOne how many of them from one address; see package bound.
	maxConnections = 40_000
	maxFromOne     = 20_000
)

// serve opens the doors and keeps them open until the context ends or a door or a background task fails.
func (s *server) serve(ctx, background context.Context) error {
	var stopping atomic.Bool
	door, err := grpcdoor.New(grpcdoor.Config{TLS: s.authority.ServerTLS(), Authenticate: s.authn.AuthenticateCall,
		Resources: s.pipeline.GRPC(), Tunnel: s.tunnel, Limiter: s.limiter, Weigh: s.pipeline.Weigh,
		Registerer: s.cfg.Registerer, Logger: s.log.Named("grpc")})
	if err != nil {
		return err
	}
	s.grpc = door
	s.rest, err = rest.New(rest.Config{
		Registry: s.registry, Pipeline: s.pipeline, Authenticator: s.authn, Authorizer: s.authz,
		Sessions: s.session, Health: s.health(&stopping), Metrics: promhttp.HandlerFor(s.cfg.Gatherer, promhttp.HandlerOpts{}),
		Documents: s.documents(), Limiter: s.limiter, Extensions: s.extension,
		Registerer: s.cfg.Registerer, Logger: s.log.Named("rest"), RequestTimeout: s.cfg.RequestTimeout,
		Address: fmt.Sprintf("%s:%d", s.settings.advertise, s.settings.restPort), Version: version(),
	})
	if err != nil {
		return err
	}
	s.extension.SetDial(s.rest.DialService)
	s.callout.SetDial(s.rest.DialService)
	// What http.Server says is about single connections: handshakes that clients broke off, mostly.
	httpLog, err := zap.NewStdLogAt(s.log.Named("http"), zap.DebugLevel)
	if err != nil {
		return err
	}
	web := &http.Server{Handler: s.rest, TLSConfig: s.authority.ServerTLS(), ReadHeaderTimeout: headerTimeout,
		MaxHeaderBytes: maxHeader, IdleTimeout: idleTimeout, ErrorLog: httpLog}

	s.http2 = h2.Configure(web)

	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return door.Serve(bound.Listen(s.grpcListener, maxConnections, maxFromOne)) })
	group.Go(func() error {
		if err := web.ServeTLS(h2.Listen(bound.Listen(s.restListener, maxConnections, maxFromOne)), "", ""); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		select {
		case <-gctx.Done():
		case <-background.Done():
		}
		stopping.Store(true)
		s.stop(web)
		return background.Err()
	})
	s.log.Info("serving", zap.Stringer("rest", s.restListener.Addr()), zap.Stringer("grpc", s.grpcListener.Addr()))
	if s.cfg.Ready != nil {
		s.cfg.Ready(Addresses{REST: s.restListener.Addr(), GRPC: s.grpcListener.Addr()})
	}
	return group.Wait()
}

// stop closes the doors: what lasts is ended, what is short is finished, all within the timeout.
func (s *server) stop(web *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	if err := s.rest.Close(ctx); err != nil {
		s.log.Warn("requests were cut off", zap.Error(err))
	}
	if err := web.Shutdown(ctx); err != nil {
		_ = web.Close()
	}
	if err := s.http2.Close(ctx); err != nil {
		s.log.Warn("requests go on after their connections were cut", zap.Error(err))
	}
	// Watches and tunnels of components have no end of their own.
	tunnelClosed := make(chan struct{})
	go func() {
		defer close(tunnelClosed)
		s.tunnel.Close()
	}()
	s.pipeline.Close()
	s.grpc.Stop(ctx)
	<-tunnelClosed
}

// documents are the fixed documents besides discovery: OpenAPI, and by what others verify tokens.
func (s *server) documents() map[string]http.Handler {
	all := s.extension.Documents(apidocs.New(openapi.New(s.registry, KubernetesVersion)).Paths())
	maps.Copy(all, s.authn.Documents(s.authority.ServerURL()))
	return all
}

// session adapts the tunnel to what the streams of the REST door need.
func (s *server) session(ctx context.Context, node string, op *tunnelv1.ConnectResponse) (podstream.Session, error) {
	x, err := s.tunnel.Open(ctx, node, op)
	if err != nil {
		return nil, err
	}
	return x, nil
}

// health are the checks of both health endpoints: the door's, and the process' own.
func (s *server) health(stopping *atomic.Bool) *health.Set {
	checks := []health.Check{
		{Name: "etcd", Run: func(ctx context.Context) error {
			_, err := s.store.Revision(ctx)
			return err
		}},
		{Name: "shutdown", ReadyOnly: true, Run: func(context.Context) error {
			if stopping.Load() {
				return errors.New("the server is stopping")
			}
			return nil
		}},
	}
	if s.cfg.Health != nil {
		for _, c := range checks {
			if c.ReadyOnly {
				s.cfg.Health.Ready(c.Name, c.Run)
			} else {
				s.cfg.Health.Live(c.Name, c.Run)
			}
		}
	}
	return health.New(func(name string, err error) {
		s.log.Warn("health check failed", zap.String("check", name), zap.Error(err))
	}, checks...)
}

// version is what `kubectl version` shows.
func version() rest.Version {
	return rest.Version{Major: "1", Minor: "37", EmulationMajor: "1", EmulationMinor: "37", MinCompatibilityMajor: "1", MinCompatibilityMinor: "36",
		GitVersion: KubernetesVersion, GitTreeState: "clean",
		GoVersion: runtime.Version(), Compiler: runtime.Compiler, Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// Package grpcdoor is the components' door: the resource service and the node tunnel over gRPC, with health and
// reflection beside them. It authenticates, counts and guards calls; what they mean is decided behind it.
//
//	call ─ panic guard ─ metrics and log ─ authenticate ─ fairness ─ pipeline or tunnel
package grpcdoor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/keelson/keelson/apiserver/internal/fairness"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Authenticate tells who makes a call, from its peer's certificate and its metadata. A call without credentials is the
// anonymous user's; wrong credentials are an error.
type Authenticate func(ctx context.Context) (*identity.User, error)

// Config is what the door needs.
type Config struct {
	TLS          *tls.Config
	Authenticate Authenticate
	Resources    resourcev1.ResourceServiceServer
	Tunnel       tunnelv1.TunnelServiceServer
	// Limiter shares the server out among its clients; nil lets everybody in. Weigh tells it how much lists carry. Writes
	// of a batch ask it through BatchGate, which the resource service calls.
	Limiter *fairness.Limiter
	Weigh   Weigh
	// Registerer takes the door's metrics; nil keeps none.
	Registerer prometheus.Registerer
	Logger     *zap.Logger
	// MaxMessage is the longest message that a client may send, in bytes. Default: 4 MiB, the largest object and some
	// room for what goes with it.
	MaxMessage int
	// Patience is how long a client may leave a message of a stream unread before its connection is closed. Default: 30
	// seconds.
	Patience time.Duration
}

// Windows and keepalive of connections. A component keeps one connection open for as long as it lives; lists of
// thousands of objects pass over it, hence the windows.
const (
	streamWindow = 1 << 20
	connWindow   = 4 << 20
	writeBuffer  = 64 << 10
	// readBuffer may be small: TLS reads ahead of it, and every connection has one.
	readBuffer    = 4 << 10
	pingAfter     = 30 * time.Second
	pingTimeout   = 10 * time.Second
	minClientPing = 5 * time.Second
	// maxStreams is how many calls a client may have open on one connection: many watches, and the operations of a node.
	maxStreams = 2_048
	// maxHeader is how long a call's metadata may be, in bytes; tokens are the longest part.
	maxHeader    = 128 << 10
	handshakeFor = 30 * time.Second
)

// Door is the server.
type Door struct {
	grpc     *grpc.Server
	health   *health.Server
	patience *patience
}

// New returns a door that serves nothing before Serve.
func New(cfg Config) (*Door, error) {
	if cfg.TLS == nil || cfg.Authenticate == nil || cfg.Resources == nil {
		return nil, errors.New("grpcdoor: TLS, authentication and the resource service are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = 4 << 20
	}
	patient := &patience{after: cmp.Or(cfg.Patience, stuckAfter), log: cfg.Logger}
	i := &interceptors{cfg: cfg, metrics: newMetrics(cfg.Registerer), gate: &gate{limiter: cfg.Limiter, weigh: cfg.Weigh}, patience: patient}
	d := &Door{health: health.NewServer(), patience: patient, grpc: grpc.NewServer(
		grpc.Creds(credentials.NewTLS(cfg.TLS)),
		grpc.ChainUnaryInterceptor(i.unary),
		grpc.ChainStreamInterceptor(i.stream),
		grpc.MaxRecvMsgSize(cfg.MaxMessage),
		// Calls run on goroutines that are used again, whose stacks have grown already.
		grpc.NumStreamWorkers(uint32(4*runtime.GOMAXPROCS(0))),
		// An idle connection holds no buffer for writing.
		grpc.WriteBufferSize(writeBuffer),
		grpc.ReadBufferSize(readBuffer),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.ConnectionTimeout(handshakeFor),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
	)}
	resourcev1.RegisterResourceServiceServer(d.grpc, cfg.Resources)
	if cfg.Tunnel != nil {
		tunnelv1.RegisterTunnelServiceServer(d.grpc, cfg.Tunnel)
	}
	healthv1.RegisterHealthServer(d.grpc, d.health)
	reflection.Register(d.grpc)
	return d, nil
}

// Serve accepts connections until Stop; it returns nil then.
func (d *Door) Serve(l net.Listener) error { return d.grpc.Serve(listener{l, &d.patience.conns}) }

// Stop refuses new calls and waits for those being served until the context ends; then it cuts them off. Streams that
// never end by themselves are to be ended by their owners before or meanwhile.
func (d *Door) Stop(ctx context.Context) {
	d.health.Shutdown()
	done := make(chan struct{})
	go func() {
		d.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		d.grpc.Stop()
		<-done
	}
}

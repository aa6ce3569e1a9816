package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

const (
	// DefaultPort is the API server's gRPC port.
	DefaultPort = "6444"
	// DefaultCallTimeout bounds a call whose context has no deadline: long enough for an API server to restart, short
	// enough that a worker notices.
	DefaultCallTimeout = 30 * time.Second
	// ListTimeout bounds a list whose context has no deadline.
	ListTimeout = 2 * time.Minute
	// MaxMessageBytes is the largest message in either direction; objects are refused by the server far below it.
	MaxMessageBytes = 64 << 20
	// KeepaliveTime is how long a connection may be silent before it is probed. Servers must allow pings this often,
	// also without streams.
	KeepaliveTime = 10 * time.Second
	// KeepaliveTimeout is how long a probe may stay unanswered before the connection is given up.
	KeepaliveTimeout = 5 * time.Second
	// windowBytes are HTTP/2's flow-control windows: large, because lists are, and fixed, so that a first list does not
	// wait for an estimate to grow.
	windowBytes = 8 << 20
)

// Config says where the API servers are and who the client is.
type Config struct {
	// Endpoints are "host:port" of the API servers' gRPC; the port may be left out. At least one.
	Endpoints []string
	// CAFile holds the authorities that the servers' certificates are checked with; empty: the system's.
	CAFile string
	// CertFile and KeyFile are the client's certificate; both or neither.
	CertFile, KeyFile string
	// TLS is the base configuration, and the whole one where no files are given; may be nil.
	TLS *tls.Config
	// UserAgent is "<program>/<version>"; its program is the field manager of writes that name none.
	UserAgent string
	// Token, where set, returns a bearer token for each call.
	Token func() (string, error)
	// CallTimeout overrides DefaultCallTimeout.
	CallTimeout time.Duration
	// Logger defaults to none.
	Logger *zap.Logger
	// DialOptions are added last, for interceptors and for tests.
	DialOptions []grpc.DialOption
}

// Dial returns a connection. It does not wait for a server: calls do. Errors are those of the configuration, such as
// a certificate that cannot be read.
func Dial(cfg Config) (*Conn, error) {
	state, err := endpoints(cfg.Endpoints)
	if err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	d := newDialer(cfg.Logger)
	creds, err := newReloader(cfg, d)
	if err != nil {
		return nil, err
	}
	res := manual.NewBuilderWithScheme("keelson")
	res.InitialState(state)
	opts := append(dialOptions(), grpc.WithTransportCredentials(creds), grpc.WithResolvers(res), grpc.WithContextDialer(d.dial))
	if cfg.UserAgent != "" {
		opts = append(opts, grpc.WithUserAgent(cfg.UserAgent))
	}
	if cfg.Token != nil {
		opts = append(opts, grpc.WithPerRPCCredentials(bearer(cfg.Token)))
	}
	cc, err := grpc.NewClient("keelson:///apiserver", append(opts, cfg.DialOptions...)...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	c := NewConn(cc)
	c.close = cc.Close
	if cfg.CallTimeout > 0 {
		c.callTimeout = cfg.CallTimeout
	}
	c.log = cfg.Logger
	return c, nil
}

// endpoints turns addresses into the resolver's state. Each keeps its own name for TLS.
func endpoints(list []string) (resolver.State, error) {
	var st resolver.State
	for _, e := range list {
		host, port, err := net.SplitHostPort(e)
		if err != nil {
			host, port = strings.Trim(e, "[]"), DefaultPort
		}
		if host == "" {
			return st, fmt.Errorf("client: endpoint %q has no host", e)
		}
		st.Endpoints = append(st.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{
			{Addr: net.JoinHostPort(host, port), ServerName: host},
		}})
	}
	if len(st.Endpoints) == 0 {
		return st, errors.New("client: no endpoint of an API server given")
	}
	return st, nil
}

// serviceConfig makes a client stick to one server, picked at random so that clients spread.
const serviceConfig = `{"loadBalancingConfig":[{"pick_first":{"shuffleAddressList":true}}]}`

func dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(ConnectParams()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: KeepaliveTime, Timeout: KeepaliveTimeout, PermitWithoutStream: true,
		}),
		grpc.WithReadBufferSize(64 << 10),
		grpc.WithWriteBufferSize(64 << 10),
		grpc.WithInitialWindowSize(windowBytes),
		grpc.WithInitialConnWindowSize(4 * windowBytes),
		grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(MaxMessageBytes), grpc.MaxCallSendMsgSize(MaxMessageBytes)),
	}
}

// ConnectParams make a client find a restarted API server quickly; their bound keeps thousands of clients from
// storming it.
func ConnectParams() grpc.ConnectParams {
	return grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.3, MaxDelay: 2 * time.Second},
		MinConnectTimeout: 5 * time.Second,
	}
}

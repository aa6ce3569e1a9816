package grpcdoor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// resources answers with who asked.
type resources struct {
	resourcev1.UnimplementedResourceServiceServer
}

func (resources) Get(ctx context.Context, r *resourcev1.GetRequest) (*resourcev1.GetResponse, error) {
	if r.GetRef().GetName() == "panic" {
		panic("asked for")
	}
	u, _ := identity.FromContext(ctx)
	return nil, apierrors.NewNotFound("", "users", u.Name)
}

func (resources) Watch(s resourcev1.ResourceService_WatchServer) error {
	<-s.Context().Done()
	return s.Context().Err()
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// start serves; callers name themselves in metadata.
func start(t *testing.T, options ...func(*Config)) (*Door, *grpc.ClientConn) {
	t.Helper()
	cert := certificate(t)
	cfg := Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Resources: resources{}, Registerer: prometheus.NewRegistry(),
		Authenticate: func(ctx context.Context) (*identity.User, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			switch u := md.Get("user"); {
			case len(u) == 0:
				return &identity.User{Name: identity.Anonymous}, nil
			case u[0] == "bad":
				return nil, context.Canceled
			default:
				return &identity.User{Name: u[0]}, nil
			}
		}}
	for _, o := range options {
		o(&cfg)
	}
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.Serve(l) }()
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "localhost"})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		d.Stop(ctx)
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return d, conn
}

func TestCallers(t *testing.T) {
	_, conn := start(t)
	c := resourcev1.NewResourceServiceClient(conn)
	for _, tt := range []struct{ user, object, reason, message string }{
		{"jane", "", apierrors.ReasonNotFound, `users "jane" not found`},
		{"", "", apierrors.ReasonUnauthorized, "this method needs a client certificate or a token"},
		{"bad", "", apierrors.ReasonUnauthorized, "Unauthorized"},
		{"jane", "panic", apierrors.ReasonInternalError, "Internal error occurred: Get caused a panic in the server; see its log"},
	} {
		ctx := t.Context()
		if tt.user != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "user", tt.user)
		}
		_, err := c.Get(ctx, &resourcev1.GetRequest{Ref: &resourcev1.ObjectRef{Name: tt.object}})
		if s := apierrors.FromError(apierrors.FromGRPC(err)); s.GetReason() != tt.reason || s.GetMessage() != tt.message {
			t.Errorf("%+v: %v", tt, s)
		}
	}
}

func TestHealthIsPublic(t *testing.T) {
	_, conn := start(t)
	resp, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || resp.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("%v %v", resp, err)
	}
}

// A watch that nobody ends does not hold up the stop beyond its bound.
func TestStopIsBounded(t *testing.T) {
	d, conn := start(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "user", "jane")
	w, err := resourcev1.NewResourceServiceClient(conn).Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send(&resourcev1.WatchRequest{}); err != nil {
		t.Fatal(err)
	}
	stop, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	d.Stop(stop)
	if _, err := w.Recv(); err == nil {
		t.Error("the watch goes on")
	}
}

// talker sends lists without an end.
type talker struct {
	resources
	ended chan error
}

func (l talker) List(_ *resourcev1.ListRequest, s grpc.ServerStreamingServer[resourcev1.ListResponse]) error {
	chunk := &resourcev1.ListResponse{Objects: []*resourcev1.Object{{Raw: make([]byte, 512<<10)}}}
	for {
		if err := s.Send(chunk); err != nil {
			l.ended <- err
			return err
		}
	}
}

// A list that nobody reads ends, and with it what it holds.
func TestClientsThatNeverRead(t *testing.T) {
	l := talker{ended: make(chan error, 2)}
	d, conn := start(t, func(c *Config) { c.Resources, c.Patience = l, 50*time.Millisecond })
	ctx := metadata.AppendToOutgoingContext(t.Context(), "user", "jane")
	for range cap(l.ended) {
		if _, err := resourcev1.NewResourceServiceClient(conn).List(ctx, &resourcev1.ListRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	for range cap(l.ended) {
		select {
		case <-l.ended:
		case <-t.Context().Done():
			t.Fatal("it goes on")
		}
	}
	if n := d.patience.stalled.Load(); n != 0 {
		t.Errorf("%d streams are said to wait", n)
	}
}

// A client that is slow, but reads, gets everything.
func TestClientsThatRead(t *testing.T) {
	l := talker{ended: make(chan error, 1)}
	_, conn := start(t, func(c *Config) { c.Resources = l })
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), "user", "jane"))
	defer cancel()
	list, err := resourcev1.NewResourceServiceClient(conn).List(ctx, &resourcev1.ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for range 64 {
		if _, err := list.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	<-l.ended
}

package embed

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"

	"github.com/keelson/keelson/apiserver/internal/storage/etcd"
	"github.com/keelson/keelson/proto/sdk/apitest/loopback"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/conformance"
)

// TestConformance runs the behaviours that clients rely on against the whole server: TLS, the administrator's
// certificate, RBAC, etcd.
func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Server {
		w := &whole{t: t, dir: t.TempDir(), address: loopback.Address(t)}
		w.start()
		t.Cleanup(func() { w.stop() })
		pki := filepath.Join(w.dir, "pki")
		conn, err := client.Dial(client.Config{
			Endpoints: []string{w.address}, CAFile: filepath.Join(pki, "ca.crt"),
			CertFile: filepath.Join(pki, "admin.crt"), KeyFile: filepath.Join(pki, "admin.key"),
			DialOptions: []grpc.DialOption{grpc.WithContextDialer(w.dial)},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conformance.Server{Conn: conn, Cut: w.cut, Forget: w.forget}
	})
}

// whole is a server that comes back at the same address, and the connections to it.
type whole struct {
	t       *testing.T
	dir     string
	address string
	stop    func()

	mu    sync.Mutex
	conns []net.Conn
}

func (w *whole) start() {
	w.t.Helper()
	cfg := Default()
	cfg.DataDir, cfg.AdvertiseAddress, cfg.RESTAddress, cfg.GRPCAddress = w.dir, "127.0.0.1", "127.0.0.1:0", w.address
	registry := prometheus.NewRegistry()
	cfg.Registerer, cfg.Gatherer = registry, registry
	cfg.Logger = zaptest.NewLogger(w.t, zaptest.Level(zap.ErrorLevel))
	ready := make(chan Addresses, 1)
	cfg.Ready = func(a Addresses) { ready <- a }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Start(ctx, cfg) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("stop: %v", err)
		}
	}
	select {
	case a := <-ready:
		w.address = a.GRPC.String()
	case err := <-done:
		w.t.Fatalf("start: %v", err)
	}
}

func (w *whole) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err == nil {
		w.mu.Lock()
		w.conns = append(w.conns, conn)
		w.mu.Unlock()
	}
	return conn, err
}

func (w *whole) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// forget compacts the database while the server is down.
func (w *whole) forget() {
	w.t.Helper()
	w.stop()
	s, err := etcd.Open(w.t.Context(), etcd.Config{DataDir: filepath.Join(w.dir, "etcd"), Logger: zap.NewNop()})
	if err != nil {
		w.t.Fatal(err)
	}
	revision, err := s.Revision(w.t.Context())
	if err == nil {
		err = s.Compact(w.t.Context(), revision)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.start()
}

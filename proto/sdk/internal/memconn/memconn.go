// Package memconn joins a client to a resource service in the same process, over real gRPC and an in-memory listener.
package memconn

import (
	"context"
	"net"
	"sync"
	"testing"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

const bufferBytes = 1 << 20

// Link is a server and a client of it.
type Link struct {
	// Conn is the client's side.
	Conn    *client.Conn
	options []grpc.ServerOption

	mu       sync.Mutex
	listener *bufconn.Listener
	server   *grpc.Server
	loops    sync.WaitGroup
}

// New starts the service and ends it with the test.
func New(t testing.TB, s resourcev1.ResourceServiceServer, o ...grpc.ServerOption) *Link {
	t.Helper()
	l := &Link{options: append([]grpc.ServerOption{grpc.MaxRecvMsgSize(client.MaxMessageBytes)}, o...)}
	l.Start(s)
	t.Cleanup(l.Stop)
	l.Conn = l.Connect(t)
	return l
}

// Connect returns one more client, which is closed with the test.
func (l *Link) Connect(t testing.TB, o ...grpc.DialOption) *client.Conn {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///memory", append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(l.dial),
		grpc.WithConnectParams(client.ConnectParams()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(client.MaxMessageBytes), grpc.MaxCallSendMsgSize(client.MaxMessageBytes)),
	}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return client.NewConn(cc)
}

func (l *Link) dial(ctx context.Context, _ string) (net.Conn, error) {
	l.mu.Lock()
	listener := l.listener
	l.mu.Unlock()
	if listener == nil {
		return nil, net.ErrClosed
	}
	return listener.DialContext(ctx)
}

// Start makes a service reachable, after Stop.
func (l *Link) Start(s resourcev1.ResourceServiceServer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server != nil {
		return
	}
	listener, server := bufconn.Listen(bufferBytes), grpc.NewServer(l.options...)
	resourcev1.RegisterResourceServiceServer(server, s)
	l.listener, l.server = listener, server
	l.loops.Go(func() { _ = server.Serve(listener) })
}

// Stop cuts all connections, as a killed server does.
func (l *Link) Stop() {
	l.mu.Lock()
	server := l.server
	l.listener, l.server = nil, nil
	l.mu.Unlock()
	if server != nil {
		server.Stop()
	}
	l.loops.Wait()
}

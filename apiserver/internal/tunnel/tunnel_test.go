package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/keelson/keelson/proto/apierrors"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

type identified struct {
	grpc.ServerStream
	ctx context.Context
}

func (i identified) Context() context.Context { return i.ctx }

// serve starts a server whose callers say who they are in the metadata.
func serve(t *testing.T, cfg Config) (*Server, tunnelv1.TunnelServiceClient) {
	t.Helper()
	s := New(cfg)
	listener := bufconn.Listen(1 << 16)
	g := grpc.NewServer(grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
		md, _ := metadata.FromIncomingContext(ss.Context())
		u := &identity.User{Name: strings.Join(md.Get("user"), ""), Groups: []string{identity.GroupNodes}}
		return apierrors.ToGRPC(h(srv, identified{ss, identity.NewContext(ss.Context(), u)}))
	}))
	tunnelv1.RegisterTunnelServiceServer(g, s)
	done := make(chan struct{})
	go func() { defer close(done); _ = g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///tunnel", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Close()
		g.Stop()
		<-done
	})
	return s, tunnelv1.NewTunnelServiceClient(conn)
}

// kubelet is a node's end that serves sessions with a function.
type kubelet struct {
	name   string
	client tunnelv1.TunnelServiceClient
	serve  func(op *tunnelv1.ConnectResponse, s tunnelv1.TunnelService_SessionClient)
	wg     sync.WaitGroup
	err    chan error // why the control stream ended
}

func as(ctx context.Context, node string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "user", identity.NodePrefix+node)
}

// run connects; stop disconnects the control stream and waits.
func (k *kubelet) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(as(context.Background(), k.name))
	control, err := k.client.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := control.Send(&tunnelv1.ConnectRequest{NodeName: k.name}); err != nil {
		t.Fatal(err)
	}
	k.err = make(chan error, 1)
	k.wg.Go(func() {
		for {
			op, err := control.Recv()
			if err != nil {
				k.err <- apierrors.FromGRPC(err)
				return
			}
			k.wg.Go(func() {
				s, err := k.client.Session(ctx)
				if err != nil {
					return
				}
				k.serve(op, s)
			})
		}
	})
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); k.wg.Wait() }) }
	t.Cleanup(stop)
	return stop
}

func accept(op *tunnelv1.ConnectResponse, node string) *tunnelv1.SessionRequest {
	return &tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Accept{Accept: &tunnelv1.Accept{SessionId: op.GetSessionId(), NodeName: node}}}
}

func output(p []byte) *tunnelv1.SessionRequest {
	return &tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Data{Data: &tunnelv1.Data{Channel: tunnelv1.Channel_CHANNEL_STDOUT, Payload: p}}}
}

func input(p string) *tunnelv1.SessionResponse {
	return &tunnelv1.SessionResponse{Frame: &tunnelv1.SessionResponse_Data{Data: &tunnelv1.Data{Channel: tunnelv1.Channel_CHANNEL_STDIN, Payload: []byte(p)}}}
}

// echo sends back what it gets until the user closes, then the exit code.
func echo(node string) func(op *tunnelv1.ConnectResponse, s tunnelv1.TunnelService_SessionClient) {
	return func(op *tunnelv1.ConnectResponse, s tunnelv1.TunnelService_SessionClient) {
		if s.Send(accept(op, node)) != nil {
			return
		}
		for {
			frame, err := s.Recv()
			if err != nil {
				return
			}
			if string(frame.GetData().GetPayload()) == "exit" {
				_ = s.Send(&tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Exit{Exit: &tunnelv1.Exit{Code: 7}}})
				_ = s.CloseSend()
				return
			}
			if s.Send(output(frame.GetData().GetPayload())) != nil {
				return
			}
		}
	}
}

func exec(command string) *tunnelv1.ConnectResponse {
	return &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Exec{Exec: &tunnelv1.ExecOptions{Command: []string{command}}}}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestSession(t *testing.T) {
	s, client := serve(t, Config{})
	ctx := testContext(t)
	commands := make(chan string, 1)
	k := &kubelet{name: "n1", client: client}
	k.serve = func(op *tunnelv1.ConnectResponse, ss tunnelv1.TunnelService_SessionClient) {
		commands <- op.GetExec().GetCommand()[0]
		echo("n1")(op, ss)
	}
	// Open waits for a node that is just about to connect.
	type opened struct {
		x   *Session
		err error
	}
	result := make(chan opened, 1)
	go func() { x, err := s.Open(ctx, "n1", exec("sh")); result <- opened{x, err} }()
	k.run(t)
	o := <-result
	if o.err != nil {
		t.Fatal(o.err)
	}
	if c := <-commands; c != "sh" {
		t.Errorf("command %q", c)
	}
	for i := range 100 {
		want := fmt.Sprint("line ", i)
		if err := o.x.Send(input(want)); err != nil {
			t.Fatal(err)
		}
		frame, err := o.x.Recv()
		if err != nil || string(frame.GetData().GetPayload()) != want {
			t.Fatalf("got %v, %v", frame, err)
		}
	}
	if err := o.x.Send(input("exit")); err != nil {
		t.Fatal(err)
	}
	frame, err := o.x.Recv()
	if err != nil || frame.GetExit().GetCode() != 7 {
		t.Fatalf("got %v, %v", frame, err)
	}
	if _, err := o.x.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	o.x.Close()
	o.x.Close()
	if err := o.x.Send(input("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestManySessions(t *testing.T) {
	s, client := serve(t, Config{})
	ctx := testContext(t)
	k := &kubelet{name: "n1", client: client, serve: echo("n1")}
	k.run(t)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			x, err := s.Open(ctx, "n1", exec("sh"))
			if err != nil {
				t.Error(err)
				return
			}
			defer x.Close()
			want := fmt.Sprint(i)
			if err := x.Send(input(want)); err != nil {
				t.Error(err)
			}
			if frame, err := x.Recv(); err != nil || string(frame.GetData().GetPayload()) != want {
				t.Errorf("got %v, %v", frame, err)
			}
		})
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions)+len(s.perNode) != 0 {
		t.Errorf("left behind: %v %v", s.sessions, s.perNode)
	}
}

func TestRefusals(t *testing.T) {
	s, client := serve(t, Config{ConnectTimeout: time.Millisecond, AcceptTimeout: 50 * time.Millisecond, MaxSessions: 1})
	ctx := testContext(t)

	if _, err := s.Open(ctx, "n1", exec("sh")); !apierrors.IsServiceUnavailable(err) || err.Error() != `node "n1" is not connected to the API server` {
		t.Errorf("not connected: %v", err)
	}

	deaf := &kubelet{name: "n1", client: client, serve: func(_ *tunnelv1.ConnectResponse, s tunnelv1.TunnelService_SessionClient) { _, _ = s.Recv() }}
	stop := deaf.run(t)
	waitConnected(t, s, "n1")
	if _, err := s.Open(ctx, "n1", exec("sh")); !apierrors.IsServiceUnavailable(err) || !strings.Contains(err.Error(), "did not accept the session within") {
		t.Errorf("no accept: %v", err)
	}
	stop()

	good := &kubelet{name: "n2", client: client, serve: echo("n2")}
	good.run(t)
	waitConnected(t, s, "n2")
	x, err := s.Open(ctx, "n2", exec("sh"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(ctx, "n2", exec("sh")); !apierrors.IsTooManyRequests(err) {
		t.Errorf("too many: %v", err)
	}
	x.Close()
	if x, err = s.Open(ctx, "n2", exec("sh")); err != nil {
		t.Errorf("after one has ended: %v", err)
	} else {
		x.Close()
	}
}

func waitConnected(t *testing.T, s *Server, node string) {
	t.Helper()
	ctx := testContext(t)
	for {
		s.mu.Lock()
		conn, arrived := s.nodes[node], s.arrived
		s.mu.Unlock()
		if conn != nil {
			return
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			t.Fatalf("%s did not connect", node)
		}
	}
}

func TestIdentity(t *testing.T) {
	s, client := serve(t, Config{})
	ctx := testContext(t)
	connect := func(user, node string) error {
		stream, err := client.Connect(metadata.AppendToOutgoingContext(ctx, "user", user))
		if err != nil {
			t.Fatal(err)
		}
		// A stream that has been refused already says EOF here, and why below.
		if err := stream.Send(&tunnelv1.ConnectRequest{NodeName: node}); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		return apierrors.FromGRPC(err)
	}
	if err := connect("jane", "n1"); !apierrors.IsForbidden(err) {
		t.Errorf("a user: %v", err)
	}
	if err := connect("system:node:n2", "n1"); !apierrors.IsForbidden(err) {
		t.Errorf("another node: %v", err)
	}

	// A node that learned another's session id gets nothing by it.
	ids := make(chan string, 1)
	proceed := make(chan struct{})
	k := &kubelet{name: "n1", client: client, serve: func(op *tunnelv1.ConnectResponse, ss tunnelv1.TunnelService_SessionClient) {
		ids <- op.GetSessionId()
		<-proceed
		echo("n1")(op, ss)
	}}
	k.run(t)
	opened := make(chan error, 1)
	go func() {
		x, err := s.Open(ctx, "n1", exec("sh"))
		if err == nil {
			x.Close()
		}
		opened <- err
	}()
	id := <-ids
	steal := func(id, node string) error {
		stream, err := client.Session(as(ctx, node))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(accept(&tunnelv1.ConnectResponse{SessionId: id}, node)); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		return apierrors.FromGRPC(err)
	}
	if err := steal(id, "n2"); !apierrors.IsNotFound(err) {
		t.Errorf("stolen: %v", err)
	}
	if err := steal("made up", "n1"); !apierrors.IsNotFound(err) {
		t.Errorf("made up: %v", err)
	}
	close(proceed)
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// TestNodeDies: whoever waits for the node learns it at once.
func TestNodeDies(t *testing.T) {
	s, client := serve(t, Config{})
	ctx := testContext(t)
	k := &kubelet{name: "n1", client: client, serve: echo("n1")}
	stop := k.run(t)
	x, err := s.Open(ctx, "n1", exec("sh"))
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan error, 1)
	go func() { _, err := x.Recv(); received <- err }()
	stop()
	if err := <-received; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	<-x.ended
	if err := x.Send(input("x")); !errors.Is(err, ErrLost) {
		t.Errorf("got %v", err)
	}
}

// TestUserGoes: the end of the context reaches the node.
func TestUserGoes(t *testing.T) {
	s, client := serve(t, Config{})
	ctx, cancel := context.WithCancel(testContext(t))
	ended := make(chan struct{})
	k := &kubelet{name: "n1", client: client, serve: func(op *tunnelv1.ConnectResponse, ss tunnelv1.TunnelService_SessionClient) {
		defer close(ended)
		echo("n1")(op, ss)
	}}
	k.run(t)
	x, err := s.Open(ctx, "n1", exec("sh"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-ended
	if _, err := x.Recv(); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestReconnect: a kubelet that comes back takes over from its old stream, which nobody noticed dying.
func TestReconnect(t *testing.T) {
	s, client := serve(t, Config{})
	ctx := testContext(t)
	old := &kubelet{name: "n1", client: client, serve: func(*tunnelv1.ConnectResponse, tunnelv1.TunnelService_SessionClient) {}}
	old.run(t)
	waitConnected(t, s, "n1")
	k := &kubelet{name: "n1", client: client, serve: echo("n1")}
	k.run(t)
	if err := <-old.err; !apierrors.IsConflict(err) {
		t.Errorf("the old stream ended with %v", err)
	}
	x, err := s.Open(ctx, "n1", exec("sh"))
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
}

func TestClose(t *testing.T) {
	s, client := serve(t, Config{})
	ctx := testContext(t)
	k := &kubelet{name: "n1", client: client, serve: echo("n1")}
	k.run(t)
	x, err := s.Open(ctx, "n1", exec("sh"))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := <-k.err; !apierrors.IsServiceUnavailable(err) {
		t.Errorf("the control stream ended with %v", err)
	}
	if _, err := x.Recv(); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Open(ctx, "n1", exec("sh")); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

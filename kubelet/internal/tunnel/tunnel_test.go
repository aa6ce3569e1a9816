package tunnel

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/keelson/keelson/kubelet/internal/logs"
	"github.com/keelson/keelson/kubelet/internal/pods"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/keelson/keelson/kubelet/internal/runtime/fake"
)

// server is the API server's end: it asks for the operations of a test and collects what comes back.
type server struct {
	tunnelv1.UnimplementedTunnelServiceServer
	open   chan *tunnelv1.ConnectResponse
	result chan result
	input  []*tunnelv1.SessionResponse
}

type result struct {
	node, session  string
	stdout, stderr string
	exit           *tunnelv1.Exit
}

func (s *server) Connect(stream tunnelv1.TunnelService_ConnectServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	for {
		select {
		case o := <-s.open:
			if err := stream.Send(o); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (s *server) Session(stream tunnelv1.TunnelService_SessionServer) error {
	var r result
	for _, frame := range s.input {
		if err := stream.Send(frame); err != nil {
			return err
		}
	}
	for {
		frame, err := stream.Recv()
		if err == io.EOF {
			s.result <- r
			return nil
		}
		if err != nil {
			return err
		}
		switch f := frame.Frame.(type) {
		case *tunnelv1.SessionRequest_Accept:
			r.node, r.session = f.Accept.NodeName, f.Accept.SessionId
		case *tunnelv1.SessionRequest_Data:
			if f.Data.Channel == tunnelv1.Channel_CHANNEL_STDERR {
				r.stderr += string(f.Data.Payload)
			} else {
				r.stdout += string(f.Data.Payload)
			}
		case *tunnelv1.SessionRequest_Exit:
			r.exit = f.Exit
		}
	}
}

// echo is a runtime whose commands repeat their input.
type echo struct{ *fake.Runtime }

func (echo) Exec(_ context.Context, id string, e runtime.ExecConfig) (int, error) {
	if id == "" {
		return 0, runtime.ErrNotRunning
	}
	b, err := io.ReadAll(e.Stdin)
	if err != nil {
		return 0, err
	}
	_, _ = fmt.Fprintf(e.Stdout, "%s", b)
	_, _ = fmt.Fprintf(e.Stderr, "%s", strings.Join(e.Command, " "))
	return 7, nil
}

func (echo) Dial(context.Context, string, int) (io.ReadWriteCloser, error) {
	here, there := net.Pipe()
	go answer(there)
	return here, nil
}

// answer repeats four bytes and closes the connection.
func answer(conn net.Conn) {
	b := make([]byte, 4)
	_, _ = io.ReadFull(conn, b)
	_, _ = conn.Write([]byte("re:" + string(b)))
	_ = conn.Close()
}

// listen answers connections to a port.
func listen(t *testing.T) int32 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer(conn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return int32(l.Addr().(*net.TCPAddr).Port)
}

type finder struct{ view *pods.View }

func (f finder) Find(_, name, _ string) (*pods.View, error) {
	if name != f.view.Name {
		return nil, fmt.Errorf("pod %q: %w", name, pods.ErrNoPod)
	}
	return f.view, nil
}

func TestSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	w, err := logs.Open(path, logs.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if err := logs.Copy(w, logs.Stdout, strings.NewReader("one\ntwo\n")); err != nil {
		t.Fatal(err)
	}
	port := listen(t)
	view := &pods.View{UID: "u", Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Namespace: "d", Name: "p", Containers: []pods.ContainerView{
		{Name: "c", ID: "id", Running: true, LogPath: path, Ended: make(chan struct{})}, {Name: "late", Waiting: "ImagePullBackOff"},
	}}
	s := &server{open: make(chan *tunnelv1.ConnectResponse, 1), result: make(chan result, 1)}
	listener := bufconn.Listen(1 << 16)
	g := grpc.NewServer()
	tunnelv1.RegisterTunnelServiceServer(g, s)
	go func() { _ = g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///b", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cfg := Config{Node: "n1", Pods: finder{view}, Runtime: echo{fake.New(fake.Options{})}, Logger: zaptest.NewLogger(t), Address: "127.0.0.1",
			NodeAPI: func(_ context.Context, conn net.Conn) error {
				answer(conn)
				return nil
			}}
		_, _ = Serve(ctx, cfg, tunnelv1.NewTunnelServiceClient(conn), cfg.Logger)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		_ = conn.Close()
		g.Stop()
	})
	c := func(pod, container string) *tunnelv1.Container {
		return &tunnelv1.Container{PodNamespace: "d", PodName: pod, PodUid: "u", ContainerName: container}
	}
	one := int64(1)
	data := &tunnelv1.SessionResponse{Frame: &tunnelv1.SessionResponse_Data{Data: &tunnelv1.Data{Payload: []byte("ping"), End: true}}}
	cases := map[string]struct {
		open           *tunnelv1.ConnectResponse
		stdout, stderr string
		code           int32
		reason, err    string
	}{
		"log":          {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Log{Log: &tunnelv1.LogOptions{Container: c("p", "c")}}}, stdout: "one\ntwo\n"},
		"tail":         {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Log{Log: &tunnelv1.LogOptions{Container: c("p", "c"), TailLines: &one}}}, stdout: "two\n"},
		"previous":     {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Log{Log: &tunnelv1.LogOptions{Container: c("p", "c"), Previous: true}}}, reason: "BadRequest", err: `previous terminated container "c" in pod "p" not found`},
		"waiting":      {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Log{Log: &tunnelv1.LogOptions{Container: c("p", "late")}}}, reason: "BadRequest", err: `container "late" in pod "p" is waiting to start: ImagePullBackOff`},
		"no pod":       {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Log{Log: &tunnelv1.LogOptions{Container: c("q", "c")}}}, reason: "NotFound", err: `pod "q": pod not found`},
		"exec":         {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Exec{Exec: &tunnelv1.ExecOptions{Container: c("p", "c"), Command: []string{"a", "b"}, Stdin: true, Stdout: true, Stderr: true}}}, stdout: "ping", stderr: "a b", code: 7},
		"exec late":    {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Exec{Exec: &tunnelv1.ExecOptions{Container: c("p", "late")}}}, reason: "BadRequest", err: "container late of pod p: container not running"},
		"attach late":  {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Attach{Attach: &tunnelv1.AttachOptions{Container: c("p", "late")}}}, reason: "BadRequest", err: "container late of pod p: container not running"},
		"port-forward": {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_PortForward{PortForward: &tunnelv1.PortForwardOptions{Container: c("p", ""), Port: 80}}}, stdout: "re:ping"},
		"dial":         {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Dial{Dial: &tunnelv1.DialOptions{Container: c("p", ""), Port: port}}}, stdout: "re:ping"},
		"dial node":    {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Dial{Dial: &tunnelv1.DialOptions{Port: port}}}, stdout: "re:ping"},
		"dial no pod":  {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Dial{Dial: &tunnelv1.DialOptions{Container: c("q", ""), Port: port}}}, reason: "NotFound", err: `pod "q": pod not found`},
		"node":         {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Node{Node: &tunnelv1.NodeOptions{}}}, stdout: "re:ping"},
		"stats":        {open: &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Stats{Stats: &tunnelv1.StatsOptions{}}}, err: "stats are not supported by this kubelet"},
	}
	s.input = []*tunnelv1.SessionResponse{data}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.open.SessionId = name
			s.open <- tc.open
			select {
			case r := <-s.result:
				got := []any{r.node, r.session, r.stdout, r.stderr, r.exit.GetCode(), r.exit.GetReason(), r.exit.GetError()}
				want := []any{"n1", name, tc.stdout, tc.stderr, tc.code, tc.reason, tc.err}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the session did not end")
			}
		})
	}
}

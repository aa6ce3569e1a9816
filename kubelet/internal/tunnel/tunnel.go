// Package tunnel is the node's end of the reverse tunnel: the kubelet keeps a control stream to every API server and
// serves each session that one asks for (logs, exec, attach, port-forward) on a stream of its own. The node opens no
// port.
package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"go.uber.org/zap"

	"github.com/keelson/keelson/kubelet/internal/pods"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// Pods finds pods; see pods.Manager.
type Pods interface {
	Find(namespace, name, uid string) (*pods.View, error)
}

// Config of the tunnel.
type Config struct {
	Node string
	// API says how to reach the API servers; each endpoint gets a tunnel of its own.
	API     client.Config
	Pods    Pods
	Runtime runtime.Runtime
	// Address is the node's own.
	Address string
	// NodeAPI serves connections to the kubelet's own handlers; it returns when the connection is closed.
	NodeAPI func(ctx context.Context, conn net.Conn) error
	Logger  *zap.Logger
}

// maxSessions bounds what runs at the same time over one tunnel.
const maxSessions = 1000

// Run keeps the tunnels until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	var tunnels sync.WaitGroup
	defer tunnels.Wait()
	for _, endpoint := range cfg.API.Endpoints {
		one := cfg.API
		one.Endpoints = []string{endpoint}
		conn, err := client.Dial(one)
		if err != nil {
			return err
		}
		tunnels.Go(func() {
			defer func() { _ = conn.Close() }()
			keep(ctx, cfg, conn, cfg.Logger.With(zap.String("server", endpoint)))
		})
	}
	return nil
}

// keep connects again and again until ctx ends.
func keep(ctx context.Context, cfg Config, conn *client.Conn, log *zap.Logger) {
	backoff := new(client.Backoff)
	for {
		connected, err := Serve(ctx, cfg, tunnelv1.NewTunnelServiceClient(conn.GRPC()), log)
		if ctx.Err() != nil {
			return
		}
		if connected {
			backoff.Reset()
		}
		log.Debug("the tunnel was cut", zap.Error(err))
		if !client.Sleep(ctx, backoff.Next()) {
			return
		}
	}
}

// Serve keeps one control stream and its sessions until the stream ends. connected tells whether the server took it.
func Serve(ctx context.Context, cfg Config, service tunnelv1.TunnelServiceClient, log *zap.Logger) (connected bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer cancel()
	control, err := service.Connect(ctx)
	if err != nil {
		return false, err
	}
	// A server that has refused already says EOF here, and why below.
	if err := control.Send(&tunnelv1.ConnectRequest{NodeName: cfg.Node}); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	slots := make(chan struct{}, maxSessions)
	for {
		open, err := control.Recv()
		if err != nil {
			return connected, err
		}
		connected = true
		select {
		case slots <- struct{}{}:
		default:
			log.Warn("a session is refused: too many are open", zap.Int("limit", maxSessions))
			continue
		}
		sessions.Go(func() {
			defer func() { <-slots }()
			if err := session(ctx, cfg, service, open); err != nil && ctx.Err() == nil {
				log.Debug("a session has failed", zap.String("session", open.SessionId), zap.Error(err))
			}
		})
	}
}

// stream is one session's stream; frames may be sent by several goroutines.
type stream struct {
	tunnelv1.TunnelService_SessionClient
	mu sync.Mutex
}

func (s *stream) send(frame *tunnelv1.SessionRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Send(frame)
}

func session(ctx context.Context, cfg Config, service tunnelv1.TunnelServiceClient, open *tunnelv1.ConnectResponse) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rpc, err := service.Session(ctx)
	if err != nil {
		return err
	}
	s := &stream{TunnelService_SessionClient: rpc}
	accept := &tunnelv1.Accept{SessionId: open.SessionId, NodeName: cfg.Node}
	if err := s.send(&tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Accept{Accept: accept}}); err != nil {
		return err
	}
	in := newInput(s, cancel)
	code, err := serve(ctx, cfg, open, s, in)
	in.close()
	exit := &tunnelv1.Exit{Code: int32(code)}
	if err != nil {
		exit.Error, exit.Reason = err.Error(), reason(err)
	}
	if err := s.send(&tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Exit{Exit: exit}}); err != nil {
		return err
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	// Cancelling the stream before the server has read it all would lose its end.
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	select {
	case <-in.done:
	case <-timer.C:
	}
	return nil
}

// lingerTime is how long a server may take to read the end of a session.
const lingerTime = 30 * time.Second

// reason classifies an error in the API's words.
func reason(err error) string {
	var bad *badRequest
	switch {
	case errors.As(err, &bad), errors.Is(err, pods.ErrNoContainer), errors.Is(err, runtime.ErrNotRunning):
		return "BadRequest"
	case errors.Is(err, pods.ErrNoPod), errors.Is(err, runtime.ErrNotFound):
		return "NotFound"
	}
	return ""
}

// badRequest is a mistake of the user.
type badRequest struct{ message string }

func (b *badRequest) Error() string { return b.message }

// output sends what is written to it as data of a channel.
type output struct {
	s       *stream
	channel tunnelv1.Channel
}

// maxFrame keeps frames well below gRPC's limit.
const maxFrame = 32 << 10

func (o *output) Write(p []byte) (int, error) {
	for sent := 0; sent < len(p); {
		part := p[sent:min(sent+maxFrame, len(p))]
		frame := &tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Data{Data: &tunnelv1.Data{Channel: o.channel, Payload: part}}}
		if err := o.s.send(frame); err != nil {
			return sent, err
		}
		sent += len(part)
	}
	return len(p), nil
}

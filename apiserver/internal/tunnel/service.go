package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/apierrors"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"

	"github.com/keelson/keelson/apiserver/internal/authz/node"
)

// caller returns the node that makes the call.
func caller(ctx context.Context) (string, error) {
	u, ok := identity.FromContext(ctx)
	if !ok || u == nil {
		return "", apierrors.NewUnauthorized("")
	}
	name, ok := node.NodeName(u)
	if !ok || name == "" {
		return "", apierrors.NewForbidden("", "nodes", "", fmt.Errorf("user %q is no node: only kubelets serve the tunnel", u.Name))
	}
	return name, nil
}

// received is what a stream's reader got.
type received[T any] struct {
	message T
	err     error
}

// read receives one message in a goroutine of its own, which ends with the stream at the latest.
func read[T any](s *Server, recv func() (T, error)) <-chan received[T] {
	out := make(chan received[T], 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		out <- received[T]{err: apierrors.NewServiceUnavailable("the server is shutting down")}
		return out
	}
	s.streams.Add(1)
	go func() {
		defer s.streams.Done()
		m, err := recv()
		out <- received[T]{m, err}
	}()
	return out
}

// Connect implements tunnelv1.TunnelServiceServer.
func (s *Server) Connect(stream tunnelv1.TunnelService_ConnectServer) error {
	name, err := caller(stream.Context())
	if err != nil {
		return err
	}
	timer := time.NewTimer(s.cfg.AcceptTimeout)
	defer timer.Stop()
	select {
	case first := <-read(s, stream.Recv):
		if first.err != nil {
			return first.err
		}
		if said := first.message.GetNodeName(); said != name {
			return apierrors.NewForbidden("", "nodes", said, fmt.Errorf("node %q cannot connect as node %q", name, said))
		}
	case <-timer.C:
		return apierrors.NewTimeout("the stream did not name its node in time", 0)
	case <-s.done:
		return apierrors.NewServiceUnavailable("the server is shutting down")
	}
	conn, err := s.register(name)
	if err != nil {
		return err
	}
	defer s.unregister(conn)
	s.cfg.Logger.Info("node connected", zap.String("node", name))
	defer s.cfg.Logger.Info("node disconnected", zap.String("node", name))
	return s.control(conn, stream)
}

// control sends what is to be opened until the stream ends.
func (s *Server) control(conn *nodeConn, stream tunnelv1.TunnelService_ConnectServer) error {
	incoming := read(s, stream.Recv)
	for {
		select {
		case request := <-conn.open:
			if err := stream.Send(request); err != nil {
				return err
			}
		case in := <-incoming:
			if errors.Is(in.err, io.EOF) {
				return nil
			}
			if in.err != nil {
				return in.err
			}
			return apierrors.NewBadRequest("a control stream has one message only")
		case <-conn.replaced:
			return apierrors.New(apierrors.ReasonConflict, "the node has connected anew", nil)
		case <-s.done:
			return apierrors.NewServiceUnavailable("the server is shutting down")
		}
	}
}

// register makes the stream the node's. A node that connects anew takes over: its old stream may be dead without
// anybody having noticed yet.
func (s *Server) register(name string) (*nodeConn, error) {
	conn := &nodeConn{
		name: name, open: make(chan *tunnelv1.ConnectResponse, s.cfg.MaxQueued),
		replaced: make(chan struct{}), gone: make(chan struct{}),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, apierrors.NewServiceUnavailable("the server is shutting down")
	}
	if old := s.nodes[name]; old != nil {
		close(old.replaced)
	}
	s.nodes[name] = conn
	close(s.arrived)
	s.arrived = make(chan struct{})
	return conn, nil
}

func (s *Server) unregister(conn *nodeConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes[conn.name] == conn {
		delete(s.nodes, conn.name)
	}
	close(conn.gone)
}

// Session implements tunnelv1.TunnelServiceServer.
func (s *Server) Session(stream tunnelv1.TunnelService_SessionServer) error {
	name, err := caller(stream.Context())
	if err != nil {
		return err
	}
	timer := time.NewTimer(s.cfg.AcceptTimeout)
	defer timer.Stop()
	var x *Session
	select {
	case first := <-read(s, stream.Recv):
		if first.err != nil {
			return first.err
		}
		accept := first.message.GetAccept()
		if accept == nil {
			return apierrors.NewBadRequest("the first frame of a session must be accept")
		}
		if x, err = s.accept(name, accept, stream); err != nil {
			return err
		}
	case <-timer.C:
		return apierrors.NewTimeout("the stream did not accept a session in time", 0)
	case <-s.done:
		return apierrors.NewServiceUnavailable("the server is shutting down")
	}
	// From here the stream is read and written by who opened the session; it lives until this method returns.
	select {
	case <-x.ended:
		return nil
	case <-stream.Context().Done():
		x.end(ErrLost)
		return stream.Context().Err()
	}
}

// accept hands a stream to the session that waits for it.
func (s *Server) accept(name string, a *tunnelv1.Accept, stream tunnelv1.TunnelService_SessionServer) (*Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[a.GetSessionId()]
	// A session of another node is not told from one that does not exist.
	if x == nil || x.node != name {
		return nil, apierrors.New(apierrors.ReasonNotFound, "no such session", nil)
	}
	if a.GetNodeName() != "" && a.GetNodeName() != name {
		return nil, apierrors.NewForbidden("", "nodes", a.GetNodeName(), fmt.Errorf("node %q cannot accept as node %q", name, a.GetNodeName()))
	}
	if x.stream != nil {
		return nil, apierrors.New(apierrors.ReasonConflict, "the session is accepted already", nil)
	}
	x.stream = stream
	close(x.accepted)
	return x, nil
}

package tunnel

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

// Config bounds what nodes and users can ask of the server. Zero values are the defaults.
type Config struct {
	// Logger; nil: nothing is logged.
	Logger *zap.Logger
	// ConnectTimeout is how long Open waits for a node that is not connected. Default 3 s: long enough for a kubelet to
	// come back after this server was restarted, short enough for somebody at a terminal.
	ConnectTimeout time.Duration
	// AcceptTimeout is how long a node may take to accept a session, and a session stream to say which one it is.
	// Default 10 s.
	AcceptTimeout time.Duration
	// MaxSessions is how many sessions a node may have at a time. Default 1000: each is a stream and a few goroutines
	// on both ends.
	MaxSessions int
	// MaxQueued is how many sessions may be waiting to be sent to a node. Default 64.
	MaxQueued int
}

// Server is the tunnel's service and the way through it.
type Server struct {
	tunnelv1.UnimplementedTunnelServiceServer
	cfg Config

	mu       sync.Mutex
	closed   bool
	nodes    map[string]*nodeConn
	arrived  chan struct{} // closed when a node connects
	sessions map[string]*Session
	perNode  map[string]int
	streams  sync.WaitGroup // goroutines that read from streams
	done     chan struct{}
}

// nodeConn is a node's control stream.
type nodeConn struct {
	name string
	// open takes what is to be sent down the stream.
	open chan *tunnelv1.ConnectResponse
	// replaced is closed when the node connects anew, gone when the stream has ended.
	replaced, gone chan struct{}
}

// New returns a server without nodes.
func New(cfg Config) *Server {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 3 * time.Second
	}
	if cfg.AcceptTimeout == 0 {
		cfg.AcceptTimeout = 10 * time.Second
	}
	if cfg.MaxSessions == 0 {
		cfg.MaxSessions = 1000
	}
	if cfg.MaxQueued == 0 {
		cfg.MaxQueued = 64
	}
	return &Server{
		cfg: cfg, nodes: make(map[string]*nodeConn), arrived: make(chan struct{}), sessions: make(map[string]*Session),
		perNode: make(map[string]int), done: make(chan struct{}),
	}
}

// Close ends every stream, refuses new ones, and returns when nothing of the server runs any more. The gRPC server is
// to be stopped at the same time: a reader ends with its stream.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	sessions := make([]*Session, 0, len(s.sessions))
	for _, x := range s.sessions {
		sessions = append(sessions, x)
	}
	s.mu.Unlock()
	for _, x := range sessions {
		x.Close()
	}
	s.streams.Wait()
}

// Connected tells whether a node's control stream is open.
func (s *Server) Connected(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[node] != nil
}

// Open starts an operation on a node and returns once the node has accepted it. op says what to do; its session id is
// set here. The end of ctx ends the session.
//
// Errors are apierrors: ServiceUnavailable where the node is not connected or does not answer, TooManyRequests where
// it has as many sessions as it may have.
func (s *Server) Open(ctx context.Context, node string, op *tunnelv1.ConnectResponse) (*Session, error) {
	conn, err := s.wait(ctx, node)
	if err != nil {
		return nil, err
	}
	x, err := s.newSession(ctx, node)
	if err != nil {
		return nil, err
	}
	request := proto.CloneOf(op)
	request.SessionId = x.id
	timer := time.NewTimer(s.cfg.AcceptTimeout)
	defer timer.Stop()
	queue := conn.open
	for {
		select {
		case queue <- request:
			queue = nil // sent; wait for the answer
		case <-x.accepted:
			return x, nil
		case <-conn.gone:
			err = apierrors.NewServiceUnavailable(fmt.Sprintf("node %q disconnected", node))
		case <-timer.C:
			err = apierrors.NewServiceUnavailable(fmt.Sprintf("node %q did not accept the session within %s", node, s.cfg.AcceptTimeout))
		case <-x.ended:
			if err = ctx.Err(); err == nil {
				err = apierrors.NewServiceUnavailable("the server is shutting down")
			}
		}
		if err != nil {
			x.Close()
			return nil, err
		}
	}
}

// wait returns the node's control stream, for which it waits a little.
func (s *Server) wait(ctx context.Context, node string) (*nodeConn, error) {
	timer := time.NewTimer(s.cfg.ConnectTimeout)
	defer timer.Stop()
	for {
		s.mu.Lock()
		conn, arrived, closed := s.nodes[node], s.arrived, s.closed
		s.mu.Unlock()
		if closed {
			return nil, apierrors.NewServiceUnavailable("the server is shutting down")
		}
		if conn != nil {
			return conn, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.done:
		case <-timer.C:
			return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("node %q is not connected to the API server", node))
		}
	}
}

func (s *Server) newSession(ctx context.Context, node string) (*Session, error) {
	x := &Session{server: s, id: rand.Text(), node: node, accepted: make(chan struct{}), ended: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, apierrors.NewServiceUnavailable("the server is shutting down")
	}
	if s.perNode[node] >= s.cfg.MaxSessions {
		s.mu.Unlock()
		return nil, apierrors.NewTooManyRequests(fmt.Sprintf("node %q has %d open sessions already", node, s.cfg.MaxSessions), 1)
	}
	s.perNode[node]++
	s.sessions[x.id] = x
	s.mu.Unlock()
	x.follow(ctx)
	return x, nil
}

// forget takes a session that has ended out of the books.
func (s *Server) forget(x *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[x.id] != x {
		return
	}
	delete(s.sessions, x.id)
	if s.perNode[x.node]--; s.perNode[x.node] == 0 {
		delete(s.perNode, x.node)
	}
}

package grpcdoor

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
)

// Bounds on clients that open streams and do not read them. gRPC has no way to end one stream whose data is still to be
// sent, thus their connections end.
const (
	// stuckAfter is how long a message may wait until the client has room for it.
	stuckAfter = 30 * time.Second
	// maxStalled is how many streams may wait for their clients at a time for longer than stallAfter.
	maxStalled = 512
)

// connections are those that are open, by the client's address.
type connections struct{ open sync.Map }

// listener keeps account of connections.
type listener struct {
	net.Listener
	conns *connections
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	counted := &conn{Conn: c, conns: l.conns}
	l.conns.open.Store(c.RemoteAddr().String(), counted)
	return counted, nil
}

// conn is forgotten when it is closed.
type conn struct {
	net.Conn
	conns *connections
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.conns.open.CompareAndDelete(c.RemoteAddr().String(), c)
	return c.Conn.Close()
}

// end closes the connection that a call came over.
func (c *connections) end(ctx context.Context) bool {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return false
	}
	open, ok := c.open.Load(p.Addr.String())
	if !ok {
		return false
	}
	_ = open.(*conn).Close()
	return true
}

// patience is how the server treats streams whose clients do not read.
type patience struct {
	conns   connections
	stalled atomic.Int64
	// after is stuckAfter, but for tests.
	after time.Duration
	log   *zap.Logger
}

func (p *patience) end(ctx context.Context) {
	if p.conns.end(ctx) {
		p.log.Warn("closed the connection of a client that does not read what it asked for")
	}
}

// patientStream sends what its client reads.
type patientStream struct {
	grpc.ServerStream
	patience *patience

	mu    sync.Mutex
	timer *time.Timer
	// sending is set while a message is on its way, stalled while it has been so for long.
	sending, stalled bool
}

// SendMsg is called by one goroutine at a time.
func (s *patientStream) SendMsg(m any) error {
	s.begin()
	defer s.done()
	return s.ServerStream.SendMsg(m)
}

func (s *patientStream) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending = true
	if wait := min(stallAfter, s.patience.after); s.timer == nil {
		s.timer = time.AfterFunc(wait, s.waits)
	} else {
		s.timer.Reset(wait)
	}
}

func (s *patientStream) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending = false
	s.timer.Stop()
	if s.stalled {
		s.stalled = false
		s.patience.stalled.Add(-1)
	}
}

// waits is called when a message has been on its way for long, and again when it has been for too long.
func (s *patientStream) waits() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.sending:
	case s.stalled:
		s.patience.end(s.Context())
	default:
		s.stalled = true
		s.timer.Reset(s.patience.after)
		if s.patience.stalled.Add(1) > maxStalled {
			s.patience.end(s.Context())
		}
	}
}

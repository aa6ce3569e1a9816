package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream"
	"github.com/keelson/keelson/proto/apierrors"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

// maxFrame is how much travels in one frame.
const maxFrame = 32 << 10

// conn is a session of the tunnel as a network connection. Its deadlines do nothing: who uses it here bounds its time by
// closing it.
type conn struct {
	s    podstream.Session
	rest []byte
	err  error // of reading

	mu     sync.Mutex // one frame is sent at a time
	closed bool
}

// newConn waits until the node says that the other end is there, by its first frame.
func newConn(s podstream.Session) (*conn, error) {
	c := &conn{s: s}
	for {
		frame, err := s.Recv()
		if err != nil {
			s.Close()
			return nil, err
		}
		switch f := frame.GetFrame().(type) {
		case *tunnelv1.SessionRequest_Data:
			c.rest = f.Data.GetPayload()
			return c, nil
		case *tunnelv1.SessionRequest_Exit:
			s.Close()
			return nil, failure(f.Exit)
		}
	}
}

func failure(e *tunnelv1.Exit) error {
	if e.GetError() == "" {
		return io.EOF
	}
	return errors.New(e.GetError())
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		frame, err := c.s.Recv()
		if err != nil {
			c.err = err
			continue
		}
		switch f := frame.GetFrame().(type) {
		case *tunnelv1.SessionRequest_Data:
			c.rest = f.Data.GetPayload()
			if f.Data.GetEnd() {
				c.err = io.EOF
			}
		case *tunnelv1.SessionRequest_Exit:
			c.err = failure(f.Exit)
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for sent := 0; sent < len(p); {
		if c.closed {
			return sent, net.ErrClosed
		}
		// The transport may use p again; a frame is encoded before Send returns.
		part := p[sent:min(sent+maxFrame, len(p))]
		err := c.s.Send(&tunnelv1.SessionResponse{Frame: &tunnelv1.SessionResponse_Data{Data: &tunnelv1.Data{
			Channel: tunnelv1.Channel_CHANNEL_STDIN, Payload: part}}})
		if err != nil {
			return sent, err
		}
		sent += len(part)
	}
	return len(p), nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.s.Close() // a Write that waits ends
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

type address struct{}

func (address) Network() string { return "tunnel" }
func (address) String() string  { return "tunnel" }

// LocalAddr implements net.Conn.
func (*conn) LocalAddr() net.Addr { return address{} }

// RemoteAddr implements net.Conn.
func (*conn) RemoteAddr() net.Addr { return address{} }

// SetDeadline implements net.Conn.
func (*conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (*conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (*conn) SetWriteDeadline(time.Time) error { return nil }

// unreachable words why a node cannot be reached.
func unreachable(node string, err error) error {
	var status *apierrors.StatusError
	if errors.As(err, &status) {
		return errors.New(status.Status.GetMessage())
	}
	return errors.New("node " + node + " cannot be reached: " + err.Error())
}

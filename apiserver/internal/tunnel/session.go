package tunnel

import (
	"context"
	"errors"
	"io"
	"sync"

	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

// ErrClosed is what Recv and Send return after Close, and after the end of the context that the session was opened
// with.
var ErrClosed = errors.New("tunnel: the session is closed")

// ErrLost is what they return after the stream to the node broke.
var ErrLost = errors.New("the connection to the node was lost")

// Session is one operation on a node. Recv and Send may each be called by one goroutine at a time; Close by any, any
// number of times.
type Session struct {
	server   *Server
	id, node string

	accepted chan struct{} // closed once stream is set
	stream   tunnelv1.TunnelService_SessionServer

	mu      sync.Mutex
	release func() bool // lets go of the context

	once  sync.Once
	why   error // set before ended is closed
	ended chan struct{}
}

// Recv returns the node's next frame. io.EOF means that the node has ended the session in good order, any other error
// that it was cut.
func (x *Session) Recv() (*tunnelv1.SessionRequest, error) {
	frame, err := x.stream.Recv()
	if err == nil || errors.Is(err, io.EOF) {
		return frame, err
	}
	select {
	case <-x.ended:
		return nil, x.why
	default:
		return nil, err
	}
}

// Send sends a frame to the node. It blocks while the node does not read.
func (x *Session) Send(frame *tunnelv1.SessionResponse) error {
	select {
	case <-x.ended:
		return x.why
	default:
	}
	return x.stream.Send(frame)
}

// Close ends the session. Frames that were sent before are still delivered.
func (x *Session) Close() { x.end(ErrClosed) }

// follow ends the session with a context.
func (x *Session) follow(ctx context.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.release = context.AfterFunc(ctx, x.Close)
}

func (x *Session) end(why error) {
	x.once.Do(func() {
		x.why = why
		close(x.ended)
		x.mu.Lock()
		if x.release != nil {
			x.release()
		}
		x.mu.Unlock()
		x.server.forget(x)
	})
}

package proxy

import (
	"context"
	"net"
	"strconv"
)

// DialService connects to a ready endpoint of a service, by the number of one of the service's ports. The context bounds
// the dialling; the connection lasts until it is closed.
func (h *Handler) DialService(ctx context.Context, namespace, name string, port int32) (net.Conn, error) {
	s, err := h.cfg.Objects.Service(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	number := strconv.Itoa(int(port))
	if s.GetSpec().GetType() == "ExternalName" {
		return h.cfg.Dial(ctx, "tcp", net.JoinHostPort(s.GetSpec().GetExternalName(), number))
	}
	to, err := h.service(ctx, "https", namespace, name, number, name)
	if err != nil {
		return nil, err
	}
	// A session of the tunnel lasts as long as the context that it was opened with.
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	dialled := context.AfterFunc(ctx, cancel)
	c, err := to.dial(lasting)
	if err != nil {
		cancel()
		return nil, err
	}
	if !dialled() {
		cancel()
		_ = c.Close()
		return nil, ctx.Err()
	}
	return &lastingConn{Conn: c, end: cancel}, nil
}

// lastingConn ends its context when it is closed.
type lastingConn struct {
	net.Conn
	end context.CancelFunc
}

// Close implements net.Conn.
func (c *lastingConn) Close() error {
	defer c.end()
	return c.Conn.Close()
}

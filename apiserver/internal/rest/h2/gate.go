package h2

import (
	"net"
	"sync"
)

// Listen wraps a listener whose connections TLS is spoken on: what TLS makes of one write of a response, several
// records, then goes to the kernel at once.
func Listen(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gate{Conn: c}, nil
}

// gate is a network connection that holds back what is written while it is shut.
type gate struct {
	net.Conn
	mu   sync.Mutex
	shut bool
	held *[]byte
}

var heldBuffers = sync.Pool{New: func() any { b := make([]byte, 0, Chunk+4<<10); return &b }}

// Write implements net.Conn.
func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		return g.Conn.Write(p)
	}
	if g.held == nil {
		g.held = heldBuffers.Get().(*[]byte)
	}
	*g.held = append(*g.held, p...)
	return len(p), nil
}

// hold shuts the gate.
func (g *gate) hold() {
	g.mu.Lock()
	g.shut = true
	g.mu.Unlock()
}

// release opens the gate and writes what has been held back.
func (g *gate) release() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
	if g.held == nil {
		return nil
	}
	_, err := g.Conn.Write(*g.held)
	if cap(*g.held) <= 2*maxPending {
		*g.held = (*g.held)[:0]
		heldBuffers.Put(g.held)
	}
	g.held = nil
	return err
}

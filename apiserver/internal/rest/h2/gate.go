package h2

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// Listen wraps a listener whose connections TLS is spoken on: what TLS makes of one write of a response, several
// records, then goes to the kernel at once, and writing need not wait for the client.
func Listen(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := &gate{Conn: c}
	if s, ok := c.(syscall.Conn); ok {
		g.raw, _ = s.SyscallConn() // none where the connection is closed already, as its first use will show
	}
	g.once = g.writeOnce
	return g, nil
}

// gate is a network connection that can hold back what is written.
type gate struct {
	net.Conn
	raw syscall.RawConn // nil where there is none

	mu sync.Mutex
	// patient makes Write keep what the kernel does not take at once: for flush. Until then Write waits, as others do.
	patient bool
	// shut holds everything back, flushing what comes after the bytes that flush is writing.
	shut, flushing bool
	held           *[]byte
	// once makes one attempt with next.
	once func(fd uintptr) bool
	next []byte
	took int
	err  error
}

var heldBuffers = sync.Pool{New: func() any { b := make([]byte, 0, Chunk+4<<10); return &b }}

// maxHeld bounds what is held back: more than writers produce it can only be if the client makes TLS itself answer,
// and does not read that.
const maxHeld = 2 * maxPending

var errHeld = errors.New("http2: too much waits for a client that does not read")

// beginPatience makes Write never wait.
func (g *gate) beginPatience() {
	g.mu.Lock()
	g.patient = g.raw != nil
	g.mu.Unlock()
}

// Write implements net.Conn.
func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	switch {
	case g.shut || g.flushing || g.held != nil:
		defer g.mu.Unlock()
		return len(p), g.keep(p)
	case g.patient:
		defer g.mu.Unlock()
		n, err := g.try(p)
		if err == nil && n < len(p) {
			err = g.keep(p[n:])
		}
		return len(p), err
	}
	g.mu.Unlock()
	return g.Conn.Write(p)
}

func (g *gate) keep(p []byte) error {
	if g.held == nil {
		g.held = heldBuffers.Get().(*[]byte)
	}
	if len(*g.held)+len(p) > maxHeld {
		return errHeld
	}
	*g.held = append(*g.held, p...)
	return nil
}

// try writes as much as the kernel takes now.
func (g *gate) try(p []byte) (int, error) {
	g.next, g.took, g.err = p, 0, nil
	err := g.raw.Write(g.once)
	g.next = nil
	return g.took, errors.Join(g.err, err)
}

func (g *gate) writeOnce(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), g.next)
		switch {
		case err == nil:
			g.took = n
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EAGAIN):
			g.err = err
		}
		return true
	}
}

// hold shuts the gate: what is written from now on is held back.
func (g *gate) hold() {
	g.mu.Lock()
	g.shut = true
	g.mu.Unlock()
}

// release opens the gate and writes what has been held back, as much of it as the kernel takes; left tells whether flush has to do the rest.
// Where the gate is not patient, it waits instead.
func (g *gate) release() (left bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
	if g.held == nil || g.flushing {
		return g.flushing, nil
	}
	if !g.patient {
		_, err = g.Conn.Write(*g.held)
		g.drop()
		return false, err
	}
	n, err := g.try(*g.held)
	if err != nil || n == len(*g.held) {
		g.drop()
		return false, err
	}
	*g.held = (*g.held)[:copy(*g.held, (*g.held)[n:])]
	return true, nil
}

// drop gives the buffer back.
func (g *gate) drop() {
	putHeld(g.held)
	g.held = nil
}

func putHeld(b *[]byte) {
	if cap(*b) <= 2*maxPending {
		*b = (*b)[:0]
		heldBuffers.Put(b)
	}
}

// holds tells whether something is held back.
func (g *gate) holds() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held != nil
}

// flush waits until the kernel has taken everything that is held back. One goroutine calls it at a time.
func (g *gate) flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.held != nil {
		b := g.held
		g.held, g.flushing = nil, true
		g.mu.Unlock()
		_, err := g.Conn.Write(*b)
		g.mu.Lock()
		g.flushing = false
		putHeld(b)
		if err != nil {
			return err
		}
	}
	return nil
}

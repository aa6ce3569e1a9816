// Package bound keeps clients from taking all connections that a door has: there is a most for all of them, and one for
// each address. A connection beyond is closed at once, which its client notices sooner than one that nobody accepts.
package bound

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Listen returns a listener that has at most total connections open, and at most each of them from one address.
func Listen(l net.Listener, total, each int) net.Listener {
	return &listener{Listener: l, total: total, each: each, from: map[netip.Addr]int{}}
}

type listener struct {
	net.Listener
	total, each int

	mu   sync.Mutex
	open int
	from map[netip.Addr]int
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := source(c)
		if l.enter(from) {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		_ = c.Close()
	}
}

func source(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

func (l *listener) enter(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.total || l.from[from] >= l.each {
		return false
	}
	l.open++
	l.from[from]++
	return true
}

func (l *listener) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.from[from]--; l.from[from] <= 0 {
		delete(l.from, from)
	}
}

// conn is counted until it is closed.
type conn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite lets TLS and upgraded streams end one direction, as a TCP connection does.
func (c *conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// SyscallConn lets HTTP/2 write without waiting.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

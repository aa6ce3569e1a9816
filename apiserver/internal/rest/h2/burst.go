package h2

import (
	"net/http"

	"golang.org/x/net/http2"
)

// Burst gathers what is sent to several responses of one connection at once, by a goroutine that must not wait for the
// client: Begin and Response.Add return false where it would have to. Each connection has one, used by one goroutine at a
// time.
type Burst struct {
	c   *conn
	buf *[]byte
}

// maxBurst is how many bytes a burst gathers, and the longest body that is added to one. Twice as much, encrypted, is what
// the gate may have to hold.
const maxBurst = 2 * Chunk

// Response is a response that a burst can add to, between two writes of its handler.
type Response struct{ w *writer }

// ResponseOf returns the response behind a handler's writer; false where it is not this package's.
func ResponseOf(w http.ResponseWriter) (Response, bool) {
	for {
		switch t := w.(type) {
		case *writer:
			return Response{t}, t.st.c.gate != nil && t.st.c.gate.raw != nil
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return Response{}, false
		}
	}
}

// Burst is that of the response's connection.
func (r Response) Burst() *Burst { return &r.w.st.c.burst }

// Begin returns false while something else is being sent, or where the connection is at its end. Otherwise End follows;
// until then others' frames wait.
func (b *Burst) Begin() bool {
	o := &b.c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil || o.closing || o.writing || o.pending != nil {
		return false
	}
	o.writing = true
	o.extend()
	return true
}

// Full tells whether the burst is to be sent before more is added.
func (r Response) Full() bool {
	b := r.Burst()
	return b.buf != nil && len(*b.buf) >= maxBurst
}

// Add adds the pieces of the response's body to the burst, all or nothing. The handler has sent everything before.
func (r Response) Add(pieces [][]byte) bool {
	w, b := r.w, r.Burst()
	n := 0
	for _, p := range pieces {
		n += len(p)
	}
	if n > maxBurst || !w.begun || w.done || w.err != nil || w.length >= 0 || w.bodyless() || w.buf != nil && len(*w.buf) > 0 {
		return false
	}
	if _, err := w.st.failed(); err != nil || !w.st.claim(n) {
		return false
	}
	if b.buf == nil {
		b.buf = pendingBuffers.Get().(*[]byte)
	}
	out, room := *b.buf, 0
	for _, p := range pieces {
		for len(p) > 0 {
			if room == 0 {
				room = min(n, maxFrame)
				out = appendHeader(out, room, http2.FrameData, 0, w.st.id)
				n -= room
			}
			k := min(len(p), room)
			out = append(out, p[:k]...)
			p, room = p[k:], room-k
		}
	}
	*b.buf = out
	return true
}

// claim takes n bytes of both windows, if there are so many.
func (st *stream) claim(n int) bool {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if min(st.window, c.sendWindow) < int64(n) {
		return false
	}
	st.window -= int64(n)
	c.sendWindow -= int64(n)
	return true
}

// End sends what was added. What the kernel does not take at once is left to a goroutine of its own.
func (b *Burst) End() {
	o := &b.c.out
	var left bool
	var err error
	if b.buf != nil {
		left, err = b.c.encrypt(*b.buf)
		putPending(b.buf)
		b.buf = nil
	}
	o.mu.Lock()
	if err != nil && o.err == nil {
		o.err = err
	}
	if o.err == nil && (left || o.pending != nil) {
		o.handOver()
		o.mu.Unlock()
		return
	}
	_ = o.writeLocked()
}

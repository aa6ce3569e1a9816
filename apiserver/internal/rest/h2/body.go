package h2

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// body is a request's body: what has arrived and was not read yet.
type body struct {
	st *stream

	mu       sync.Mutex
	buf      []byte
	off      int
	window   int // what the client may still send
	end      bool
	closed   bool
	err      error
	wake     chan struct{}
	deadline time.Time
	// declared is the length that the header names; -1 where it names none.
	declared, seen int64
}

var errBodyLength = errors.New("http2: request body is not as long as the header said")

// add takes a piece; unwanted is how much of it nobody will read. ok is false where the client sends more than it may.
func (b *body) add(p []byte, end bool) (unwanted int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.window -= len(p); b.window < 0 {
		return len(p), false
	}
	if b.closed {
		b.end = b.end || end
		return len(p), true
	}
	b.seen += int64(len(p))
	if b.off == len(b.buf) {
		b.buf, b.off = b.buf[:0], 0
	} else if b.off > len(b.buf)/2 && len(b.buf)+len(p) > cap(b.buf) {
		// What has been read does not stay because there is always something left.
		b.buf, b.off = b.buf[:copy(b.buf, b.buf[b.off:])], 0
	}
	b.buf = append(b.buf, p...)
	if end {
		b.end = true
		if b.declared >= 0 && b.seen != b.declared && b.err == nil {
			b.err = errBodyLength
		}
	}
	b.signal()
	return 0, true
}

// allow lets the client send more.
func (b *body) allow(n int) {
	b.mu.Lock()
	b.window += n
	b.mu.Unlock()
}

func (b *body) ended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.end
}

func (b *body) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// fail ends reading by an error.
func (b *body) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil && !b.end {
		b.err = err
	}
	b.signal()
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.st.confirm()
	for {
		b.mu.Lock()
		switch {
		case b.closed:
			b.mu.Unlock()
			return 0, errors.New("http2: request body is closed")
		case b.off < len(b.buf):
			n := copy(p, b.buf[b.off:])
			if b.off += n; b.off == len(b.buf) {
				b.buf, b.off = b.buf[:0], 0
			}
			b.mu.Unlock()
			b.st.c.refund(b.st, n)
			return n, nil
		case b.err != nil:
			defer b.mu.Unlock()
			return 0, b.err
		case b.end:
			b.mu.Unlock()
			return 0, io.EOF
		}
		deadline := b.deadline
		b.mu.Unlock()
		if !wait(b.wake, deadline) {
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// wait returns once there is a token, or false at the deadline.
func wait(wake chan struct{}, deadline time.Time) bool {
	if deadline.IsZero() {
		<-wake
		return true
	}
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case <-wake:
		return true
	case <-t.C:
		return false
	}
}

// Close implements io.Closer: the rest is not wanted.
func (b *body) Close() error {
	b.st.c.refund(nil, b.close())
	return nil
}

// close forgets what was not read and returns how much that was.
func (b *body) close() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := len(b.buf) - b.off
	b.buf, b.off, b.closed = nil, 0, true
	b.signal()
	return left
}

func (b *body) setDeadline(t time.Time) {
	b.mu.Lock()
	b.deadline = t
	b.mu.Unlock()
	b.signal()
}

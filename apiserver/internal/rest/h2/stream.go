package h2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// stream is one request and its response.
type stream struct {
	c      *conn
	id     uint32
	cancel context.CancelFunc
	body   *body
	// window is how much the client takes; consumed is what its body's reader has taken and the client does not know of.
	// Both are under the connection's lock.
	window   int64
	consumed int
	// wake holds a token when the window has changed, or the stream's end.
	wake chan struct{}
	// expects says that the client waits for a word before it sends its body; answered that it has one.
	expects  bool
	answered atomic.Bool

	mu       sync.Mutex
	err      error
	deadline time.Time
}

// cancelled ends the stream from outside of its handler.
func (st *stream) cancelled(err error) {
	st.mu.Lock()
	if st.err == nil {
		st.err = err
	}
	st.mu.Unlock()
	st.body.fail(err)
	if st.cancel != nil {
		st.cancel()
	}
	st.signal()
}

func (st *stream) signal() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

func (st *stream) failed() (time.Time, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.deadline, st.err
}

// confirm tells a client that waits for it to send its body.
func (st *stream) confirm() {
	if st.expects && !st.answered.Swap(true) {
		_ = st.c.out.send(func(b []byte) []byte {
			o := &st.c.out
			o.block.Reset()
			o.field(":status", "100")
			return appendBlock(b, o.block.Bytes(), st.id, false)
		})
	}
}

// serve runs the handler.
func (st *stream) serve(h http.Handler, r *http.Request) {
	w := newWriter(st, r)
	defer func() {
		st.cancel()
		st.c.mu.Lock()
		st.c.running--
		st.c.mu.Unlock()
	}()
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler { //nolint:errorlint // the documented sentinel
				if log := st.c.s.web.ErrorLog; log != nil {
					log.Printf("http2: panic serving %s: %v\n%s", r.RemoteAddr, v, debug.Stack())
				}
			}
			w.abandon()
			st.c.reset(st.id, http2.ErrCodeInternal)
		}
	}()
	h.ServeHTTP(w, r)
	w.finish()
}

// reserve takes up to n bytes of both windows, waiting until there are some.
func (st *stream) reserve(n int) (int, error) {
	for {
		c := st.c
		c.mu.Lock()
		if free := min(st.window, c.sendWindow); free > 0 {
			n = int(min(int64(n), free))
			st.window -= int64(n)
			c.sendWindow -= int64(n)
			delete(c.waiting, st)
			c.mu.Unlock()
			return n, nil
		}
		c.waiting[st] = struct{}{}
		c.mu.Unlock()
		deadline, err := st.failed()
		if err == nil && !wait(st.wake, deadline) {
			err = os.ErrDeadlineExceeded
		}
		if err != nil {
			c.mu.Lock()
			delete(c.waiting, st)
			c.mu.Unlock()
			return 0, err
		}
	}
}

// send writes a piece of the response's body, behind its header where that has not been sent yet.
func (st *stream) send(w *writer, data []byte, end bool) error {
	for {
		if _, err := st.failed(); err != nil {
			return err
		}
		n := min(len(data), Chunk)
		if n > 0 {
			var err error
			if n, err = st.reserve(n); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					st.c.reset(st.id, http2.ErrCodeCancel)
				}
				return err
			}
		}
		piece, last := data[:n], end && n == len(data)
		err := st.c.out.send(func(b []byte) []byte {
			if !w.begun {
				w.begun = true
				b = w.appendHeader(b, last && n == 0)
				if n == 0 {
					return b
				}
			}
			if n == 0 && !last {
				return b
			}
			return appendData(b, piece, st.id, last)
		})
		if err != nil {
			return fmt.Errorf("http2: %w", err)
		}
		if data = data[n:]; len(data) == 0 {
			return nil
		}
	}
}

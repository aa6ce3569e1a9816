package remote

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/moby/spdystream"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream/spdy"
)

func isSPDY(r *http.Request) bool { return spdy.IsUpgrade(r) }

func itoa(n int32) string { return strconv.FormatInt(int64(n), 10) }

// acceptSPDY upgrades and waits until the client has opened every stream that it asked for: they arrive in any order,
// told apart by a header.
func acceptSPDY(w http.ResponseWriter, r *http.Request, want Streams) (*Session, error) {
	arrived := make(chan *spdystream.Stream, 8)
	conn, protocol, err := spdy.Upgrade(w, r, []string{v5, v4, v3, v2, v1}, func(s *spdystream.Stream) {
		select {
		case arrived <- s:
		default:
			_ = s.Reset() // more streams than any protocol has
		}
	})
	if err != nil {
		return nil, err
	}
	if protocol == "" {
		protocol = v1
	}
	gone := make(chan struct{})
	go func() {
		<-conn.CloseChan()
		close(gone)
	}()
	s := &Session{protocol: protocol, Gone: gone, close: func() error { return closeSPDY(conn) }}

	if err := s.await(r.Context(), want, arrived); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

// await takes the streams that the client opens until it has opened all.
func (s *Session) await(ctx context.Context, want Streams, arrived <-chan *spdystream.Stream) error {
	timeout := time.NewTimer(streamTimeout)
	defer timeout.Stop()
	for missing := expected(want, s.protocol); missing > 0; {
		select {
		case stream := <-arrived:
			if s.adopt(stream, s.Gone) {
				missing--
			}
		case <-timeout.C:
			return fmt.Errorf("the client did not open its streams within %s", streamTimeout)
		case <-s.Gone:
			return io.ErrUnexpectedEOF
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// expected counts the streams a client opens: one for the outcome besides those it asked for.
func expected(want Streams, protocol string) int {
	n := 1
	if want.Stdin {
		n++
	}
	if want.Stdout {
		n++
	}
	if want.Stderr && !want.TTY {
		n++
	}
	if want.TTY && protocol != v1 && protocol != v2 {
		n++
	}
	return n
}

// adopt gives an arrived stream its place.
func (s *Session) adopt(stream *spdystream.Stream, gone <-chan struct{}) bool {
	switch stream.Headers().Get("streamType") {
	case "error":
		s.errors = stream
	case "stdin":
		s.Stdin = stream
	case "stdout":
		s.Stdout = stream
	case "stderr":
		s.Stderr = stream
	case "resize":
		ch := make(chan Size)
		s.Sizes = ch
		go sizes(stream, ch, gone)
	default:
		_ = stream.Reset()
		return false
	}
	return true
}

// closeSPDY ends the connection after what was written has been sent: spdystream sends its goodbye frame behind the
// data, and closes once the client has ended its streams or a moment has passed.
func closeSPDY(conn *spdystream.Connection) error {
	conn.SetCloseTimeout(time.Second)
	return conn.Close()
}

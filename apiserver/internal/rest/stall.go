package rest

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/keelson/keelson/apiserver/internal/fairness"
)

const (
	// stallAfter is how long a client may take to read a piece of an answer before its request gives its seat to somebody
	// whom the server can do something for.
	stallAfter = time.Second
	// stallFrom is from how many bytes on a write is looked after: shorter ones fit into the connection's buffers.
	stallFrom = 4 << 10
	// maxStalled is how many answers may be stuck at a time without a seat; more are cut off.
	maxStalled = 512
)

// stalls counts the answers whose clients do not read them.
type stalls struct{ n atomic.Int64 }

// write calls f, which writes n bytes to w, and keeps a client that does not read from holding on to the seat.
func (s *stalls) write(w http.ResponseWriter, seat *fairness.Seat, n int, f func() (int, error)) (int, error) {
	if !seat.Held() || n < stallFrom {
		return f()
	}
	ran := make(chan struct{})
	timer := time.AfterFunc(stallAfter, func() {
		defer close(ran)
		seat.Release()
		if s.n.Add(1) > maxStalled {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now())
		}
	})
	written, err := f()
	if !timer.Stop() {
		<-ran
		s.n.Add(-1)
	}
	return written, err
}

// slowBody is a request's body whose client loses its seat where it lets the server wait for bytes.
type slowBody struct {
	io.ReadCloser
	seat *fairness.Seat
}

// Read implements io.Reader.
func (b *slowBody) Read(p []byte) (int, error) {
	if !b.seat.Held() {
		return b.ReadCloser.Read(p)
	}
	defer time.AfterFunc(stallAfter, b.seat.Release).Stop()
	return b.ReadCloser.Read(p)
}

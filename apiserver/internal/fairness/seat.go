package fairness

import (
	"context"
	"net/http"
	"sync/atomic"
)

// Seat is what a request occupies while it is served. One that was refused has the names of its schema and level and
// nothing to release.
type Seat struct {
	limiter  *Limiter
	schema   *schema
	queue    *queue
	width    int
	since    int64
	released atomic.Bool

	schemaUID, levelUID string
}

// Headers under which clients are told what their request was taken for.
const (
	HeaderSchema = "X-Kubernetes-Pf-Flowschema-Uid"
	HeaderLevel  = "X-Kubernetes-Pf-Prioritylevel-Uid"
)

// SetHeaders says in an answer's header what the request was taken for.
func (s *Seat) SetHeaders(h http.Header) {
	h[HeaderSchema] = []string{s.schemaUID}
	h[HeaderLevel] = []string{s.levelUID}
}

// Schema and Level name what the request was taken for.
func (s *Seat) Schema() string { return s.schema.name }

// Level names the priority level.
func (s *Seat) Level() string { return s.schema.level.name }

// Release gives the seat back. Only the first call counts: a watch releases its seat once it is up, and whoever serves it
// again at its end.
func (s *Seat) Release() {
	if s == nil || s.queue == nil || s.released.Swap(true) {
		return
	}
	s.schema.stats.took(s.limiter.finish(s))
}

// Held tells whether the seat has not been given back yet.
func (s *Seat) Held() bool { return s != nil && s.queue != nil && !s.released.Load() }

type seatKey struct{}

// NewContext returns a context that carries the request's seat.
func NewContext(ctx context.Context, s *Seat) context.Context {
	return context.WithValue(ctx, seatKey{}, s)
}

// Initialized gives the seat of a long-running request back: what was costly about it is done. Without a seat in the
// context it does nothing.
func Initialized(ctx context.Context) {
	s, _ := ctx.Value(seatKey{}).(*Seat)
	s.Release()
}

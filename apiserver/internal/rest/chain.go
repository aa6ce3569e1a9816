package rest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/keelson/keelson/apiserver/internal/fairness"
	"github.com/keelson/keelson/apiserver/internal/rest/request"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// ServeHTTP takes a request through the chain.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		w.Header().Set("Connection", "close")
		respond.Error(w, r, apierrors.NewServiceUnavailable("the server is shutting down"))
		return
	}
	defer s.running.Done()

	start := time.Now()
	info := request.Parse(r)
	rec := &recorder{ResponseWriter: w, stalls: &s.stalls}
	id := r.Header.Get("Audit-ID")
	if id == "" || len(id) > 64 {
		id = uuid.NewString()
	}
	rec.Header().Set("Audit-Id", id)

	ctx, cancel := s.bound(r, info)
	defer cancel()
	r = r.WithContext(ctx)
	long := info.LongRunning(r)
	if !long {
		defer s.deadlines(w)()
	}
	label := s.label(info)
	s.metrics.begin(label, long)
	defer func() {
		if v := recover(); v != nil {
			s.recovered(rec, r, v)
			defer func() {
				if rec.code == 0 || v == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel
					panic(http.ErrAbortHandler)
				}
			}()
		}
		s.metrics.end(label, long, rec.status(), time.Since(start), rec.written)
		if ce := s.cfg.Logger.Check(zap.DebugLevel, "request"); ce != nil {
			ce.Write(zap.String("method", r.Method), zap.String("uri", r.RequestURI), zap.Int("code", rec.status()),
				zap.Duration("duration", time.Since(start)), zap.String("userAgent", r.UserAgent()), zap.String("auditID", id))
		}
	}()

	user, err := s.cfg.Authenticator.AuthenticateRequest(r)
	if err != nil {
		respond.Error(rec, r, apierrors.NewUnauthorized(""))
		return
	}
	r = r.WithContext(identity.NewContext(r.Context(), user))
	if r, err = s.impersonate(r, user); err != nil {
		respond.Error(rec, r, err)
		return
	}
	r, seat, err := s.admit(rec, r, info, long)
	if err != nil {
		respond.Error(rec, r, err)
		return
	}
	defer seat.Release()
	rec.seat = seat
	s.route(rec, r, info)
}

// bound gives the request its end: the server's stop for what lasts, a timeout for everything else.
func (s *Server) bound(r *http.Request, info *request.Info) (context.Context, context.CancelFunc) {
	if info.LongRunning(r) {
		ctx, cancel := context.WithCancel(r.Context())
		release := context.AfterFunc(s.ctx, cancel)
		return ctx, func() { release(); cancel() }
	}
	timeout := s.cfg.RequestTimeout
	if v := r.URL.Query().Get("timeout"); v != "" {
		if d, err := time.ParseDuration(v); err == nil && d > 0 && d < timeout {
			timeout = d
		}
	}
	return context.WithTimeout(r.Context(), timeout)
}

// transferSlack is how much longer than the request's timeout its bytes may take on their way.
const transferSlack = 30 * time.Second

// deadlines bounds how long a client may take to send a body and to read the answer: one that stops in the middle must
// not hold on to a slot. The returned function takes the bound on writing off the connection.
func (s *Server) deadlines(w http.ResponseWriter) func() {
	c, end := http.NewResponseController(w), time.Now().Add(s.cfg.RequestTimeout+s.slack)
	if c.SetReadDeadline(end) != nil || c.SetWriteDeadline(end) != nil {
		return func() {} // not a network connection
	}
	// The one for reading stays: http.Server reads the rest of a body after the handler, and sets its own for the next
	// request.
	return func() { _ = c.SetWriteDeadline(time.Time{}) }
}

// recovered answers a panic with a Status where nothing has been sent yet.
func (s *Server) recovered(rec *recorder, r *http.Request, v any) {
	if v == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel
		return
	}
	s.cfg.Logger.Error("request handler panicked", zap.String("method", r.Method), zap.String("uri", r.RequestURI),
		zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
	if rec.code == 0 && !rec.hijacked {
		respond.Error(rec, r, apierrors.NewInternal(fmt.Errorf("the request %s %s caused a panic in the server; see its log", r.Method, r.URL.Path)))
	}
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	code     int
	written  int64
	hijacked bool
	// seat is the request's while it has one; see stalls.
	seat   *fairness.Seat
	stalls *stalls
}

func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
	}
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.code == 0 {
		r.code = http.StatusOK
	}
	n, err := r.stalls.write(r.ResponseWriter, r.seat, len(p), func() (int, error) { return r.ResponseWriter.Write(p) })
	r.written += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Flush implements http.Flusher.
func (r *recorder) Flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }

// Hijack implements http.Hijacker.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil {
		r.hijacked = true
		if r.code == 0 {
			r.code = http.StatusSwitchingProtocols
		}
	}
	return conn, rw, err
}

func (r *recorder) status() int {
	if r.code == 0 {
		return http.StatusOK
	}
	return r.code
}

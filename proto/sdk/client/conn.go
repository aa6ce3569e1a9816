package client

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// Conn is a connection to the API, shared by all clients of a process.
type Conn struct {
	cc          grpc.ClientConnInterface
	waist       resourcev1.ResourceServiceClient
	log         *zap.Logger
	callTimeout time.Duration
	close       func() error
}

// NewConn returns a connection over one that exists, such as an in-memory one; Close leaves that open.
func NewConn(cc grpc.ClientConnInterface) *Conn {
	return &Conn{
		cc: cc, waist: resourcev1.NewResourceServiceClient(cc), log: zap.NewNop(),
		callTimeout: DefaultCallTimeout, close: func() error { return nil },
	}
}

// Close ends all calls and streams on the connection.
func (c *Conn) Close() error { return c.close() }

// Waist returns the resource service itself, for what the typed client does not cover. Its errors are gRPC's.
func (c *Conn) Waist() resourcev1.ResourceServiceClient { return c.waist }

// GRPC returns the underlying connection, for other services of the API server.
func (c *Conn) GRPC() grpc.ClientConnInterface { return c.cc }

// Logger returns the connection's logger.
func (c *Conn) Logger() *zap.Logger { return c.log }

// waitForReady makes a call wait for a connection within its deadline instead of failing at once: what was never sent
// can wait safely.
var waitForReady = grpc.WaitForReady(true)

// write makes one call that may have an effect. It is sent once, but for a server that says that it has not begun with it
// and when to come back.
func write[Req, Resp any](ctx context.Context, c *Conn, call func(context.Context, Req, ...grpc.CallOption) (Resp, error), req Req) (Resp, error) {
	ctx, cancel := bounded(ctx, c.callTimeout)
	defer cancel()
	for wait := (Backoff{}); ; {
		resp, err := call(ctx, req, waitForReady)
		err = apierrors.FromGRPC(err)
		if !throttled(err) || !Sleep(ctx, wait.after(err)) {
			return resp, err
		}
	}
}

// throttled tells whether the server was too busy to look at a request. An eviction that a disruption budget refuses has
// the same reason, and a cause.
func throttled(err error) bool {
	if !apierrors.IsTooManyRequests(err) {
		return false
	}
	_, ok := apierrors.RetryAfter(err)
	return ok && len(apierrors.FromError(err).GetDetails().GetCauses()) == 0
}

// read makes a call that has no effect, again and again within its deadline while servers come and go.
func read[Resp any](ctx context.Context, timeout time.Duration, call func(context.Context) (Resp, error)) (Resp, error) {
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	for wait := (Backoff{}); ; {
		resp, err := call(ctx)
		err = apierrors.FromGRPC(err)
		if err == nil || !passing(err) {
			return resp, err
		}
		if !Sleep(ctx, wait.after(err)) {
			return resp, err
		}
	}
}

// passing tells whether the same read may succeed soon.
func passing(err error) bool {
	return apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err)
}

func bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok || d <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d)
}

// Backoff yields growing waits with jitter. The zero value starts at 50 ms and ends at 5 s.
type Backoff struct{ last time.Duration }

const (
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// Next returns how long to wait now.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, firstBackoff), maxBackoff)
	return b.last/2 + rand.N(b.last/2+1)
}

// after is Next, or what the server asks for where that is longer. Clients that were refused together are spread out.
func (b *Backoff) after(err error) time.Duration {
	d := b.Next()
	if after, ok := apierrors.RetryAfter(err); ok && after > d {
		d = after + rand.N(after/4+1)
	}
	return d
}

// Reset starts over, after a success.
func (b *Backoff) Reset() { b.last = 0 }

// Sleep waits, and tells whether the time has passed before the context ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

package grpcdoor

import (
	"context"
	"fmt"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// interceptors go around every call.
type interceptors struct {
	cfg     Config
	metrics *metrics
	gate    *gate
	// patience bounds how long streams wait for their clients.
	patience *patience
}

func (i *interceptors) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	defer i.observe(info.FullMethod, time.Now(), true, &err)
	defer i.guard(info.FullMethod, &err)
	if ctx, err = i.authenticate(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	seat, err := i.gate.unary(ctx, req)
	if err != nil {
		return nil, err
	}
	defer seat.Release()
	resp, err = handler(ctx, req)
	return resp, apierrors.ToGRPC(err)
}

func (i *interceptors) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	i.metrics.streams(info.FullMethod, 1)
	defer i.metrics.streams(info.FullMethod, -1)
	defer i.observe(info.FullMethod, time.Now(), false, &err)
	defer i.guard(info.FullMethod, &err)
	ctx, err := i.authenticate(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	ss = &serverStream{ServerStream: ss, ctx: ctx}
	if strings.HasPrefix(info.FullMethod, "/keelson.resource.v1.ResourceService/") {
		ss = &patientStream{ServerStream: ss, patience: i.patience}
	}
	if held := i.gate.limiter != nil && (info.FullMethod == resourcev1.ResourceService_List_FullMethodName ||
		info.FullMethod == resourcev1.ResourceService_Watch_FullMethodName); held {
		gated := &gatedStream{ServerStream: ss, gate: i.gate}
		defer func() { gated.seat.Release() }()
		ss = gated
	}
	return apierrors.ToGRPC(handler(srv, ss))
}

// serverStream carries the caller's identity.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *serverStream) Context() context.Context { return s.ctx }

// authenticate puts the caller into the context. Health is for everybody; everything else needs credentials, and the
// pipeline decides what they are worth.
func (i *interceptors) authenticate(ctx context.Context, method string) (context.Context, error) {
	user, err := i.cfg.Authenticate(ctx)
	public := strings.HasPrefix(method, "/grpc.health.v1.Health/")
	switch {
	case err != nil && !public:
		return ctx, apierrors.ToGRPC(apierrors.NewUnauthorized(""))
	case err != nil:
		user = &identity.User{Name: identity.Anonymous, Groups: []string{identity.GroupUnauthenticated}}
	case user.Name == identity.Anonymous && !public:
		return ctx, apierrors.ToGRPC(apierrors.NewUnauthorized("this method needs a client certificate or a token"))
	}
	return identity.NewContext(ctx, user), nil
}

// guard turns a panic into an error of its call.
func (i *interceptors) guard(method string, err *error) {
	if v := recover(); v != nil {
		i.cfg.Logger.Error("call panicked", zap.String("method", method), zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
		*err = apierrors.ToGRPC(apierrors.NewInternal(fmt.Errorf("%s caused a panic in the server; see its log", path.Base(method))))
	}
}

func (i *interceptors) observe(method string, start time.Time, unary bool, err *error) {
	d := time.Since(start)
	code := status.Code(*err)
	i.metrics.handled(method, code.String(), d, unary)
	if ce := i.cfg.Logger.Check(zap.DebugLevel, "call"); ce != nil {
		ce.Write(zap.String("method", method), zap.Stringer("code", code), zap.Duration("duration", d))
	}
}

// metrics count calls under the names that gRPC dashboards use. A nil *metrics counts nothing.
type metrics struct {
	total    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inflight *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	if r == nil {
		return nil
	}
	m := &metrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "grpc_server_handled_total",
			Help: "gRPC calls that have ended, by method and code."}, []string{"grpc_method", "grpc_code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "grpc_server_handling_seconds",
			Help:    "Time of unary gRPC calls.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5, 30}}, []string{"grpc_method"}),
		inflight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "keelson_apiserver_grpc_streams",
			Help: "gRPC streams that are open, by method."}, []string{"grpc_method"}),
	}
	r.MustRegister(m.total, m.seconds, m.inflight)
	return m
}

func (m *metrics) handled(method, code string, d time.Duration, unary bool) {
	if m == nil {
		return
	}
	name := path.Base(method)
	m.total.WithLabelValues(name, code).Inc()
	if unary {
		m.seconds.WithLabelValues(name).Observe(d.Seconds())
	}
}

func (m *metrics) streams(method string, n float64) {
	if m != nil {
		m.inflight.WithLabelValues(path.Base(method)).Add(n)
	}
}

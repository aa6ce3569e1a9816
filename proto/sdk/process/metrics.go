package process

import (
	"context"
	"path"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

var (
	clientRequests = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "keelson_client_requests_total",
		Help: "Calls to the API server by method and gRPC code; streams count when they are opened.",
	}, []string{"method", "code"})
	clientSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "keelson_client_request_duration_seconds",
		Help:    "Time of unary calls to the API server, waiting for a connection included.",
		Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30},
	}, []string{"method"})
)

// clientMetrics counts a process' calls to the API server.
func clientMetrics() []grpc.DialOption {
	unary := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		start := time.Now()
		err := call(ctx, method, req, reply, cc, opts...)
		name := path.Base(method)
		clientSeconds.WithLabelValues(name).Observe(time.Since(start).Seconds())
		clientRequests.WithLabelValues(name, status.Code(err).String()).Inc()
		return err
	}
	stream := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		s, err := open(ctx, desc, cc, method, opts...)
		clientRequests.WithLabelValues(path.Base(method), status.Code(err).String()).Inc()
		return s, err
	}
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(unary), grpc.WithChainStreamInterceptor(stream)}
}

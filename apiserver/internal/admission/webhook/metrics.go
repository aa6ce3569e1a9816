package webhook

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts the calls of webhooks, under Kubernetes' names.
type Metrics struct {
	duration  *prometheus.HistogramVec
	requests  *prometheus.CounterVec
	rejected  *prometheus.CounterVec
	failsOpen *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "apiserver_admission_webhook_admission_duration_seconds", Help: "How long admission webhooks took to answer.",
			Buckets: []float64{0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25},
		}, []string{"name", "type", "operation", "rejected"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiserver_admission_webhook_request_total", Help: "How often admission webhooks were asked.",
		}, []string{"name", "type", "operation", "rejected"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiserver_admission_webhook_rejection_count", Help: "How often admission webhooks refused, or failed where that refuses.",
		}, []string{"name", "type", "operation", "error_type"}),
		failsOpen: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiserver_admission_webhook_fail_open_count", Help: "How often admission webhooks failed and the request went on.",
		}, []string{"name", "type"}),
	}
	if r != nil {
		r.MustRegister(m.duration, m.requests, m.rejected, m.failsOpen)
	}
	return m
}

func (m *Metrics) observe(name, kind, operation string, took time.Duration, ignore bool, err error) {
	if m == nil {
		return
	}
	rejected := "false"
	failed := errors.As(err, new(*callError))
	switch {
	case failed && ignore:
		m.failsOpen.WithLabelValues(name, kind).Inc()
	case failed:
		rejected = "true"
		m.rejected.WithLabelValues(name, kind, operation, "calling_webhook_error").Inc()
	case err != nil:
		rejected = "true"
		m.rejected.WithLabelValues(name, kind, operation, "no_error").Inc()
	}
	m.duration.WithLabelValues(name, kind, operation, rejected).Observe(took.Seconds())
	m.requests.WithLabelValues(name, kind, operation, rejected).Inc()
}

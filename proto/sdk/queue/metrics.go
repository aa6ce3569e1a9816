package queue

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The names are those of Kubernetes' components, so that their dashboards work.
var (
	depthGauge = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "workqueue_depth", Help: "Keys that wait."}, []string{"name"})
	addsCounter = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "workqueue_adds_total", Help: "Keys added."}, []string{"name"})
	retriesCounter = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "workqueue_retries_total", Help: "Keys added again after a failure."}, []string{"name"})
	waitSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name: "workqueue_queue_duration_seconds", Help: "Time from the addition of a key to its worker.",
		Buckets: prometheus.ExponentialBuckets(1e-5, 10, 8)}, []string{"name"})
	workSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name: "workqueue_work_duration_seconds", Help: "Time that a worker takes for a key.",
		Buckets: prometheus.ExponentialBuckets(1e-5, 10, 8)}, []string{"name"})
)

// metrics are one queue's; the zero value counts nothing.
type metrics struct {
	size          prometheus.Gauge
	adds, retries prometheus.Counter
	wait, work    prometheus.Observer
}

func metricsFor(name string) metrics {
	if name == "" {
		return metrics{}
	}
	return metrics{
		size: depthGauge.WithLabelValues(name), adds: addsCounter.WithLabelValues(name), retries: retriesCounter.WithLabelValues(name),
		wait: waitSeconds.WithLabelValues(name), work: workSeconds.WithLabelValues(name),
	}
}

func (m metrics) depth(n int) {
	if m.size != nil {
		m.size.Set(float64(n))
	}
}

func (m metrics) added() {
	if m.adds != nil {
		m.adds.Inc()
	}
}

func (m metrics) retried() {
	if m.retries != nil {
		m.retries.Inc()
	}
}

func (m metrics) waited(d time.Duration) {
	if m.wait != nil {
		m.wait.Observe(d.Seconds())
	}
}

func (m metrics) worked(d time.Duration) {
	if m.work != nil {
		m.work.Observe(d.Seconds())
	}
}

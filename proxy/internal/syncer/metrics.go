package syncer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keelson/keelson/proxy/internal/table"
)

// Metrics carry the names of Kubernetes' proxy.
type Metrics struct {
	duration, delay prometheus.Histogram
	failures        prometheus.Counter
	last            prometheus.Gauge
}

// NewMetrics registers the syncer's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	buckets := prometheus.ExponentialBuckets(0.001, 2, 15)
	m := &Metrics{
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kubeproxy_sync_proxy_rules_duration_seconds", Help: "How long programming a change took.", Buckets: buckets,
		}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kubeproxy_network_programming_duration_seconds", Help: "From the arrival of a change until it was programmed.", Buckets: buckets,
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kubeproxy_sync_proxy_rules_failures_total", Help: "Changes that could not be programmed at once.",
		}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kubeproxy_sync_proxy_rules_last_timestamp_seconds", Help: "When a change was last programmed.",
		}),
	}
	r.MustRegister(m.duration, m.delay, m.failures, m.last)
	return m
}

func (m *Metrics) done(begin time.Time, dirty map[table.Key]time.Time) {
	now := time.Now()
	m.duration.Observe(now.Sub(begin).Seconds())
	m.last.Set(float64(now.UnixNano()) / 1e9)
	for _, since := range dirty {
		m.delay.Observe(now.Sub(since).Seconds())
	}
}

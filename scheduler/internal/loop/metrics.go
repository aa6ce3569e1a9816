package loop

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/scheduler/internal/queue"
)

// Metrics carry the names of Kubernetes' scheduler where they mean the same.
type Metrics struct {
	registry prometheus.Registerer
	attempts *prometheus.CounterVec
	duration prometheus.Histogram
	e2e      prometheus.Histogram
}

// NewMetrics registers the scheduler's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		registry: r,
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scheduler_schedule_attempts_total", Help: "Decisions, by result: scheduled or unschedulable.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "scheduler_scheduling_algorithm_duration_seconds", Help: "How long a decision took.",
			Buckets: prometheus.ExponentialBuckets(1e-6, 4, 12),
		}),
		e2e: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "scheduler_pod_scheduling_sli_duration_seconds", Help: "From the creation of a pod until it was bound.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}),
	}
	r.MustRegister(m.attempts, m.duration, m.e2e)
	return m
}

func (m *Metrics) decision(begin time.Time, placed bool) {
	result := "unschedulable"
	if placed {
		result = "scheduled"
	}
	m.attempts.WithLabelValues(result).Inc()
	m.duration.Observe(time.Since(begin).Seconds())
}

func (m *Metrics) bound(pod *corev1.Pod) {
	m.e2e.Observe(time.Since(apitime.Go(pod.GetMetadata().GetCreationTimestamp())).Seconds())
}

// observe exports the queue's lengths.
func (m *Metrics) observe(q *queue.Queue) {
	length := func(name string, pick func(active, backoff, parked int) int) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "scheduler_pending_pods", Help: "Pods that wait, by queue.", ConstLabels: prometheus.Labels{"queue": name},
		}, func() float64 { return float64(pick(q.Len())) }))
	}
	length("active", func(a, _, _ int) int { return a })
	length("backoff", func(_, b, _ int) int { return b })
	length("unschedulable", func(_, _, p int) int { return p })
}

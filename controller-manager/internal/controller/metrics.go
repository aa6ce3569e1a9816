package controller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The queues have metrics of their own (workqueue_*).
var (
	reconcileTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "keelson_controller_reconcile_total",
		Help: "Reconciliations by controller and result (success, conflict, error).",
	}, []string{"controller", "result"})
	reconcileSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "keelson_controller_reconcile_duration_seconds",
		Help:    "Time of one reconciliation, without the wait for caches.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
	}, []string{"controller"})
	fenceSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "keelson_controller_cache_wait_seconds",
		Help:    "Time that a key waited for caches to reach the controller's own last writes.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
	}, []string{"controller"})
)

func observe(name, result string, took time.Duration) {
	reconcileTotal.WithLabelValues(name, result).Inc()
	reconcileSeconds.WithLabelValues(name).Observe(took.Seconds())
}

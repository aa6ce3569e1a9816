package pods

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	runningPods = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "kubelet_running_pods", Help: "Pods that this node takes care of.",
	})
	podStart = promauto.NewHistogram(prometheus.HistogramOpts{
		Name: "kubelet_pod_start_duration_seconds", Help: "Time from when a pod was first seen here until it was ready.",
		Buckets: []float64{.1, .2, .3, .5, .75, 1, 2, 4, 8, 15, 30, 60, 120, 300},
	})
	containerStarts = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "kubelet_started_containers_total", Help: "Containers that were started, by result.",
	}, []string{"result"})
	probeResults = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "prober_probe_total", Help: "Probes of containers, by type and result.",
	}, []string{"probe_type", "result"})
	imagePull = promauto.NewHistogram(prometheus.HistogramOpts{
		Name: "kubelet_image_pull_duration_seconds", Help: "Time that it took to pull an image.",
		Buckets: []float64{.1, .5, 1, 2, 5, 10, 20, 30, 60, 180, 600},
	})
)

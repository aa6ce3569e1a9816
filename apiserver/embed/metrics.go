package embed

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/keelson/keelson/proto/pipeline"
)

// The watch cache's figures, under Kubernetes' names where it has them, so that its dashboards fit.
var (
	descObjects  = prometheus.NewDesc("apiserver_resource_objects", "Number of stored objects of a resource.", []string{"group", "resource"}, nil)
	descWatchers = prometheus.NewDesc("apiserver_registered_watchers", "Number of open watches.", []string{"group", "version", "kind"}, nil)
	descCutOff   = prometheus.NewDesc("apiserver_terminated_watchers_total", "Watches cut off because their client was too slow.", []string{"group", "resource"}, nil)
	descRevision = prometheus.NewDesc("apiserver_watch_cache_resource_version", "Revision up to which the watch cache has seen everything.", nil, nil)
)

// cacheMetrics reads the figures when Prometheus asks.
type cacheMetrics struct{ pipeline *pipeline.Server }

// Describe implements prometheus.Collector.
func (cacheMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descObjects, descWatchers, descCutOff, descRevision} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c cacheMetrics) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(descRevision, prometheus.GaugeValue, float64(c.pipeline.Revision()))
	for _, s := range c.pipeline.Stats() {
		k := s.Kind
		ch <- prometheus.MustNewConstMetric(descObjects, prometheus.GaugeValue, float64(s.Objects), k.Group, k.Plural)
		ch <- prometheus.MustNewConstMetric(descWatchers, prometheus.GaugeValue, float64(s.Watchers), k.Group, k.Version, k.Kind)
		ch <- prometheus.MustNewConstMetric(descCutOff, prometheus.CounterValue, float64(s.CutOff), k.Group, k.Plural)
	}
}

package pipeline

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/keelson/keelson/proto/pipeline/watchcache"
)

// Metrics under Kubernetes' names, so that its dashboards fit.
var (
	descObjects  = prometheus.NewDesc("apiserver_resource_objects", "Number of stored objects in a resource.", []string{"group", "resource"}, nil)
	descWatchers = prometheus.NewDesc("apiserver_registered_watchers", "Number of open watches.", []string{"group", "version", "kind"}, nil)
	descCutOff   = prometheus.NewDesc("apiserver_terminated_watchers_total", "Watches cut off because their client was too slow.", []string{"group", "resource"}, nil)
	descRevision = prometheus.NewDesc("apiserver_watch_cache_resource_version", "Revision up to which the watch cache has seen everything.", nil, nil)
)

// Metrics returns the server's figures for a Prometheus registry.
func (s *Server) Metrics() prometheus.Collector { return collector{s.cache} }

type collector struct{ cache *watchcache.Cache }

// Describe implements prometheus.Collector.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descObjects, descWatchers, descCutOff, descRevision} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(descRevision, prometheus.GaugeValue, float64(c.cache.Revision()))
	for _, col := range c.cache.Collections() {
		k, s := col.Kind(), col.Stats()
		if !k.Served {
			continue
		}
		ch <- prometheus.MustNewConstMetric(descObjects, prometheus.GaugeValue, float64(s.Objects), k.Group, k.Plural)
		ch <- prometheus.MustNewConstMetric(descWatchers, prometheus.GaugeValue, float64(s.Watchers), k.Group, k.Version, k.Kind)
		ch <- prometheus.MustNewConstMetric(descCutOff, prometheus.CounterValue, float64(s.CutOff), k.Group, k.Plural)
	}
}

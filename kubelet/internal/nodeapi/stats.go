package nodeapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/keelson/keelson/kubelet/internal/stats"
)

func (h *Handler) summary(w http.ResponseWriter, _ *http.Request) {
	s, err := h.cfg.Stats.Summary(h.cfg.Pods.Pods())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(s) // the client may be gone
}

// resourceMetrics tells the usage as Prometheus metrics, under the names that metrics servers read.
func (h *Handler) resourceMetrics(w http.ResponseWriter, _ *http.Request) {
	s, err := h.cfg.Stats.Summary(h.cfg.Pods.Pods())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var b strings.Builder
	family := func(name, kind, help string, each func(sample func(labels string, value float64))) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		each(func(labels string, value float64) {
			if labels != "" {
				labels = "{" + labels + "}"
			}
			fmt.Fprintf(&b, "%s%s %v\n", name, labels, value)
		})
	}
	containers := func(value func(c *stats.ContainerStats) float64) func(func(string, float64)) {
		return func(sample func(string, float64)) {
			for _, p := range s.Pods {
				for i := range p.Containers {
					c := &p.Containers[i]
					sample(fmt.Sprintf("container=%q,namespace=%q,pod=%q", c.Name, p.PodRef.Namespace, p.PodRef.Name), value(c))
				}
			}
		}
	}
	pods := func(value func(p *stats.PodStats) float64) func(func(string, float64)) {
		return func(sample func(string, float64)) {
			for i := range s.Pods {
				p := &s.Pods[i]
				sample(fmt.Sprintf("namespace=%q,pod=%q", p.PodRef.Namespace, p.PodRef.Name), value(p))
			}
		}
	}
	seconds := func(c *stats.CPUStats) float64 { return float64(*c.UsageCoreNanoSeconds) / 1e9 }
	family("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the container in core-seconds",
		containers(func(c *stats.ContainerStats) float64 { return seconds(c.CPU) }))
	family("container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes",
		containers(func(c *stats.ContainerStats) float64 { return float64(*c.Memory.WorkingSetBytes) }))
	family("container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds",
		containers(func(c *stats.ContainerStats) float64 { return float64(c.StartTime.UnixNano()) / 1e9 }))
	family("node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds",
		func(sample func(string, float64)) { sample("", seconds(s.Node.CPU)) })
	family("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes",
		func(sample func(string, float64)) { sample("", float64(*s.Node.Memory.WorkingSetBytes)) })
	family("pod_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the pod in core-seconds",
		pods(func(p *stats.PodStats) float64 { return seconds(p.CPU) }))
	family("pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes",
		pods(func(p *stats.PodStats) float64 { return float64(*p.Memory.WorkingSetBytes) }))
	family("resource_scrape_error", "gauge", "1 if there was an error while getting container metrics, 0 otherwise",
		func(sample func(string, float64)) { sample("", 0) })
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(b.String()))
}

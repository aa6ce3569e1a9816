package fairness

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reasons of refusals, as Kubernetes' metrics name them.
const (
	reasonQueueFull = "queue-full"
	reasonLimit     = "concurrency-limit"
	reasonTimeout   = "time-out"
	reasonCancelled = "cancelled"
)

// schemaStats are the figures of a schema. The counters are guarded by the limiter's lock.
type schemaStats struct {
	level, schema            string
	rejected                 map[string]int64
	dispatched               int64
	waiting, executing, used int

	wait, waitRefused, run prometheus.Observer
}

func (s *schemaStats) start(width int) {
	s.dispatched++
	s.executing++
	s.used += width
}

func (s *schemaStats) end(width int) {
	s.executing--
	s.used -= width
}

// waited and took are told outside of the lock.
func (s *schemaStats) waited(d time.Duration, served bool) {
	switch {
	case s.wait == nil:
	case served:
		s.wait.Observe(d.Seconds())
	default:
		s.waitRefused.Observe(d.Seconds())
	}
}

func (s *schemaStats) took(d time.Duration) {
	if s.run != nil {
		s.run.Observe(d.Seconds())
	}
}

type statsKey struct{ level, schema string }

// metrics collects the figures under the names that Kubernetes' dashboards use.
type metrics struct {
	limiter   *Limiter
	all       map[statsKey]*schemaStats
	wait, run *prometheus.HistogramVec
}

// maxStats bounds how many pairs of a schema and a level are counted apart: objects may come and go for years.
const maxStats = 1000

func newMetrics(l *Limiter, r prometheus.Registerer) *metrics {
	m := &metrics{limiter: l, all: map[statsKey]*schemaStats{}}
	if r == nil {
		return m
	}
	m.wait = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "apiserver_flowcontrol_request_wait_duration_seconds",
		Help:    "Time that requests waited in their queue.",
		Buckets: []float64{0, .005, .02, .05, .1, .2, .5, 1, 2, 5, 10, 15, 30}}, []string{"priority_level", "flow_schema", "execute"})
	m.run = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "apiserver_flowcontrol_request_execution_seconds",
		Help:    "Time that requests held their seats.",
		Buckets: []float64{0, .005, .02, .05, .1, .2, .5, 1, 2, 5, 10, 15, 30}}, []string{"priority_level", "flow_schema"})
	r.MustRegister(m.wait, m.run, m)
	return m
}

// schema returns the figures of a schema on a level; the limiter's lock is held.
func (m *metrics) schema(level, schema string) *schemaStats {
	k := statsKey{level, schema}
	if s := m.all[k]; s != nil {
		return s
	}
	s := &schemaStats{level: level, schema: schema, rejected: map[string]int64{}}
	if m.wait != nil {
		s.wait, s.waitRefused = m.wait.WithLabelValues(level, schema, "true"), m.wait.WithLabelValues(level, schema, "false")
		s.run = m.run.WithLabelValues(level, schema)
	}
	if len(m.all) >= maxStats {
		m.forget()
	}
	m.all[k] = s
	return s
}

// forget drops the figures of what nobody uses any more.
func (m *metrics) forget() {
	used := map[*schemaStats]bool{}
	if c := m.limiter.configuration.Load(); c != nil {
		for _, s := range c.schemas {
			used[s.stats] = true
		}
	}
	for k, s := range m.all {
		if used[s] || s.executing > 0 || s.waiting > 0 {
			continue
		}
		delete(m.all, k)
		if m.wait != nil {
			labels := prometheus.Labels{"priority_level": k.level, "flow_schema": k.schema}
			m.wait.DeletePartialMatch(labels)
			m.run.DeletePartialMatch(labels)
		}
	}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("apiserver_flowcontrol_"+name, help, labels, nil)
}

var (
	descRejected = describe("rejected_requests_total", "Requests refused, by why.", "priority_level", "flow_schema", "reason")
	descStarted  = describe("dispatched_requests_total", "Requests that were served.", "priority_level", "flow_schema")
	descWaiting  = describe("current_inqueue_requests", "Requests that wait.", "priority_level", "flow_schema")
	descRunning  = describe("current_executing_requests", "Requests that hold seats.", "priority_level", "flow_schema")
	descSeats    = describe("current_executing_seats", "Seats that are taken.", "priority_level", "flow_schema")
	descNominal  = describe("nominal_limit_seats", "Seats that are a level's own.", "priority_level")
	descLower    = describe("lower_limit_seats", "Seats that a level never lends.", "priority_level")
	descUpper    = describe("upper_limit_seats", "Most seats that a level can have.", "priority_level")
	descCurrent  = describe("current_limit_seats", "Seats that a level could have now.", "priority_level")
)

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRejected, descStarted, descWaiting, descRunning, descSeats, descNominal, descLower, descUpper, descCurrent} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, v := range m.gather() {
		ch <- v
	}
}

func (m *metrics) gather() (out []prometheus.Metric) {
	l := m.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		out = append(out, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...))
	}
	count := func(d *prometheus.Desc, v int64, labels ...string) {
		out = append(out, prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...))
	}
	for _, s := range m.all {
		for reason, n := range s.rejected {
			count(descRejected, n, s.level, s.schema, reason)
		}
		count(descStarted, s.dispatched, s.level, s.schema)
		gauge(descWaiting, s.waiting, s.level, s.schema)
		gauge(descRunning, s.executing, s.level, s.schema)
		gauge(descSeats, s.used, s.level, s.schema)
	}
	for _, v := range l.levels {
		gauge(descNominal, v.nominal, v.name)
		gauge(descLower, v.nominal-v.lends, v.name)
		gauge(descUpper, min(v.nominal+v.borrows, max(l.options.Seats, v.nominal)), v.name)
		gauge(descCurrent, l.limit(v), v.name)
	}
	return out
}

// limit is how many seats a level could have now: its own less those that others hold, and what it may borrow.
func (l *Limiter) limit(v *level) int {
	if v.exempt {
		return v.nominal
	}
	free := max(l.spare(v)-(l.lent-max(v.used-v.nominal, 0)), 0)
	if missing := l.lent - max(v.used-v.nominal, 0) - l.spare(v); missing > 0 {
		return v.nominal - min(missing, v.lends)
	}
	return v.nominal + min(free, v.borrows)
}

package rest

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keelson/keelson/apiserver/internal/rest/request"
)

// metrics count requests under the names that Kubernetes' dashboards use. A nil *metrics counts nothing.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inflight *prometheus.GaugeVec
	lasting  *prometheus.GaugeVec
	bytes    *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	if r == nil {
		return nil
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "apiserver_request_total",
			Help: "Requests served through REST, by what they asked for and the answer's code."},
			[]string{"verb", "group", "version", "resource", "subresource", "scope", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "apiserver_request_duration_seconds",
			Help:    "Time to answer a REST request, without watches and streams.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 30, 60}},
			[]string{"verb", "group", "version", "resource", "subresource", "scope"}),
		inflight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "apiserver_current_inflight_requests",
			Help: "REST requests being served, without watches and streams."}, []string{"request_kind"}),
		lasting: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "apiserver_longrunning_requests",
			Help: "Watches and streams being served through REST."},
			[]string{"verb", "group", "version", "resource", "subresource", "scope"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "apiserver_response_bytes_total",
			Help: "Bytes of REST answers, before TLS and after compression."}, []string{"verb", "group", "version", "resource"}),
	}
	r.MustRegister(m.requests, m.duration, m.inflight, m.lasting, m.bytes)
	return m
}

func (m *metrics) begin(l labels, long bool) {
	switch {
	case m == nil:
	case long:
		m.lasting.WithLabelValues(l.verb, l.group, l.version, l.resource, l.subresource, l.scope).Inc()
	default:
		m.inflight.WithLabelValues(l.kind).Inc()
	}
}

func (m *metrics) end(l labels, long bool, code int, d time.Duration, written int64) {
	if m == nil {
		return
	}
	if long {
		m.lasting.WithLabelValues(l.verb, l.group, l.version, l.resource, l.subresource, l.scope).Dec()
	} else {
		m.inflight.WithLabelValues(l.kind).Dec()
		m.duration.WithLabelValues(l.verb, l.group, l.version, l.resource, l.subresource, l.scope).Observe(d.Seconds())
	}
	m.requests.WithLabelValues(l.verb, l.group, l.version, l.resource, l.subresource, l.scope, strconv.Itoa(code)).Inc()
	m.bytes.WithLabelValues(l.verb, l.group, l.version, l.resource).Add(float64(written))
}

type labels struct{ verb, group, version, resource, subresource, scope, kind string }

// label names a request. Words that a client made up are not taken into the metrics, for they have no bound.
func (s *Server) label(i *request.Info) labels {
	l := labels{verb: verbLabel(i), kind: requestKind(i)}
	k, ok := s.cfg.Registry.ByResource(i.Group, i.Version, i.Resource)
	if !i.IsResource || !ok {
		return l
	}
	l.group, l.version, l.resource, l.scope = i.Group, i.Version, i.Resource, i.Scope()
	if _, ok := k.Subresource(i.Subresource); ok {
		l.subresource = i.Subresource
	}
	return l
}

func verbLabel(i *request.Info) string {
	switch i.Verb {
	case "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection":
	default:
		return "OTHER"
	}
	switch {
	case i.Verb == "create":
		return "POST"
	case i.Verb == "update":
		return "PUT"
	}
	return map[string]string{"get": "GET", "list": "LIST", "watch": "WATCH", "patch": "PATCH", "delete": "DELETE",
		"deletecollection": "DELETECOLLECTION"}[i.Verb]
}

func requestKind(i *request.Info) string {
	switch i.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return "mutating"
	}
	return "readOnly"
}

package dns

import (
	miekg "github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the server.
type Metrics struct{ answers *prometheus.CounterVec }

// NewMetrics registers the server's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{answers: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "keelson_dns_answers_total", Help: "Answers of the node's DNS, by response code.",
	}, []string{"rcode"})}
	r.MustRegister(m.answers)
	return m
}

func (m *Metrics) answered(rcode int) {
	if m != nil {
		m.answers.WithLabelValues(miekg.RcodeToString[rcode]).Inc()
	}
}

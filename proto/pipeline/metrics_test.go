package pipeline_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

func TestMetrics(t *testing.T) {
	h := start(t)
	w := h.watch(&resourcev1.WatchOpen{Selection: selection("", "configmaps", "")})
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(h.s.Metrics())
	watchers := func() (n float64) {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.Metric {
				if f.GetName() == "apiserver_registered_watchers" && strings.Contains(m.String(), `"ConfigMap"`) {
					n += m.GetGauge().GetValue()
				}
			}
		}
		return n
	}
	if n := watchers(); n != 1 {
		t.Errorf("%v watchers", n)
	}
	w.Close()
	w.Close()
	if n := watchers(); n != 0 {
		t.Errorf("%v watchers after the end", n)
	}
}

package quota

import (
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Requests returns what a pod requests: its containers and sidecars together, or what an init container needs if that is
// more, or what the pod itself says; and its overhead.
func Requests(p *corev1.Pod) Amounts {
	sum := aggregate(p, (*corev1.ResourceRequirements).GetRequests)
	sum.Add(Parse(p.GetSpec().GetOverhead()))
	return sum
}

// Limits returns a pod's limits, added up as Requests does.
func Limits(p *corev1.Pod) Amounts {
	sum := aggregate(p, (*corev1.ResourceRequirements).GetLimits)
	for name, q := range Parse(p.GetSpec().GetOverhead()) {
		if _, ok := sum[name]; ok { // what has no limit gets none by its overhead
			sum.Add(Amounts{name: q})
		}
	}
	return sum
}

func aggregate(p *corev1.Pod, of func(*corev1.ResourceRequirements) map[string]*metav1.Quantity) Amounts {
	s := p.GetSpec()
	sum, sidecars, most := Amounts{}, Amounts{}, Amounts{}
	for _, c := range s.GetContainers() {
		sum.Add(Parse(of(c.Resources)))
	}
	// While an init container runs, the sidecars before it run as well.
	for _, c := range s.GetInitContainers() {
		own := Parse(of(c.Resources))
		if c.GetRestartPolicy() == "Always" {
			sum.Add(own)
			sidecars.Add(own)
			most.Max(sidecars)
			continue
		}
		own.Add(sidecars)
		most.Max(own)
	}
	sum.Max(most)
	for name, q := range Parse(of(s.GetResources())) {
		if name == "cpu" || name == "memory" || strings.HasPrefix(name, "hugepages-") {
			sum[name] = q
		}
	}
	return sum
}

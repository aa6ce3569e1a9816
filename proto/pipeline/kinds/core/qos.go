package core

import (
	"k8s.io/apimachinery/pkg/api/resource"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// qosClass is Kubernetes' classification of a pod by its requests and limits for CPU and memory: Guaranteed where each
// container has both limits and requests as high, BestEffort where none has any, else Burstable.
func qosClass(s *corev1.PodSpec) string {
	any, guaranteed := false, true
	classify := func(r *corev1.ResourceRequirements) {
		for _, name := range []string{"cpu", "memory"} {
			request, limit := positive(r.GetRequests()[name]), positive(r.GetLimits()[name])
			any = any || request != nil || limit != nil
			if limit == nil || request == nil || request.Cmp(*limit) != 0 {
				guaranteed = false
			}
		}
	}
	if s.GetResources() != nil && (len(s.Resources.Requests) > 0 || len(s.Resources.Limits) > 0) {
		classify(s.Resources)
	} else {
		for _, list := range [][]*corev1.Container{s.GetInitContainers(), s.GetContainers()} {
			for _, c := range list {
				classify(c.GetResources())
			}
		}
	}
	switch {
	case !any:
		return "BestEffort"
	case guaranteed:
		return "Guaranteed"
	}
	return "Burstable"
}

// positive parses a quantity; nil where it is missing, malformed or not above zero.
func positive(q *metav1.Quantity) *resource.Quantity {
	if q == nil {
		return nil
	}
	v, err := resource.ParseQuantity(q.GetString_())
	if err != nil || v.Sign() <= 0 {
		return nil
	}
	return &v
}

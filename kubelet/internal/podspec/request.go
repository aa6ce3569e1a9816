package podspec

import (
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/kubelet/internal/quantity"
)

// Request is how much of a node a pod asks for: thousandths of a CPU, and bytes.
type Request struct{ CPU, Memory int64 }

// Requests of a pod: the sum of the containers that run side by side, or the most that one of those takes which run
// before them; and its overhead.
func Requests(pod *corev1.Pod) Request {
	of := func(c *corev1.Container) Request {
		r := c.GetResources().GetRequests()
		return Request{quantity.Milli(r["cpu"]), quantity.Value(r["memory"])}
	}
	var sum, sidecars, before Request
	for _, c := range pod.GetSpec().GetInitContainers() {
		r := of(c)
		if Restartable(c) {
			sidecars.CPU += r.CPU
			sidecars.Memory += r.Memory
			r = Request{}
		}
		before.CPU = max(before.CPU, sidecars.CPU+r.CPU)
		before.Memory = max(before.Memory, sidecars.Memory+r.Memory)
	}
	sum = sidecars
	for _, c := range pod.GetSpec().GetContainers() {
		r := of(c)
		sum.CPU += r.CPU
		sum.Memory += r.Memory
	}
	overhead := pod.GetSpec().GetOverhead()
	return Request{max(sum.CPU, before.CPU) + quantity.Milli(overhead["cpu"]), max(sum.Memory, before.Memory) + quantity.Value(overhead["memory"])}
}

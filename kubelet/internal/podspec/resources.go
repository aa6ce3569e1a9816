package podspec

import (
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

	"github.com/keelson/keelson/kubelet/internal/quantity"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// Classes of quality of service.
const (
	Guaranteed = "Guaranteed"
	Burstable  = "Burstable"
	BestEffort = "BestEffort"
)

// QOSClass of a pod, as Kubernetes defines it.
func QOSClass(pod *corev1.Pod) string {
	any, guaranteed := false, true
	for _, list := range [][]*corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for _, c := range list {
			for _, name := range []string{"cpu", "memory"} {
				limit, request := c.Resources.GetLimits()[name], c.Resources.GetRequests()[name]
				l, r := quantity.Rat(limit), quantity.Rat(request)
				if l.Sign() > 0 || r.Sign() > 0 {
					any = true
				}
				if request == nil {
					r = l
				}
				if l.Sign() <= 0 || l.Cmp(r) != 0 {
					guaranteed = false
				}
			}
		}
	}
	switch {
	case !any:
		return BestEffort
	case guaranteed:
		return Guaranteed
	}
	return Burstable
}

const (
	minShares = 2
	maxShares = 262144
	period    = 100_000
	minQuota  = 1_000
)

// Shares turns thousandths of a CPU into the kernel's weight.
func Shares(milli int64) uint64 {
	if milli <= 0 {
		return minShares
	}
	return uint64(min(max(milli*1024/1000, minShares), maxShares))
}

func quota(milli int64) int64 {
	if milli <= 0 {
		return 0
	}
	return max(milli*period/1000, minQuota)
}

// Limits of one container.
func Limits(pod *corev1.Pod, c *corev1.Container, memory int64) runtime.Resources {
	limits, requests := c.Resources.GetLimits(), c.Resources.GetRequests()
	cpu := requests["cpu"]
	if cpu == nil {
		cpu = limits["cpu"]
	}
	return runtime.Resources{
		CPUShares: Shares(quantity.Milli(cpu)),
		CPUQuota:  quota(quantity.Milli(limits["cpu"])), CPUPeriod: period,
		MemoryLimit: quantity.Value(limits["memory"]),
		OOMScoreAdj: oomScore(pod, c, memory),
	}
}

// oomScore makes the kernel kill containers that use more than they asked for first.
func oomScore(pod *corev1.Pod, c *corev1.Container, memory int64) int {
	if pod.Spec.GetPriority() >= 2_000_000_000 {
		return -997
	}
	switch QOSClass(pod) {
	case Guaranteed:
		return -997
	case BestEffort:
		return 1000
	}
	request := quantity.Value(c.Resources.GetRequests()["memory"])
	if memory <= 0 {
		return 999
	}
	return int(min(max(1000-1000*request/memory, 3), 999))
}

// PodLimits are those of a pod's own cgroup: the sum of its containers', no limit where one container has none.
func PodLimits(pod *corev1.Pod) runtime.Resources {
	var cpuRequest int64
	sum := func(name string, value func(*metav1.Quantity) int64) int64 {
		var total, highest int64
		for _, c := range pod.Spec.Containers {
			v := value(c.Resources.GetLimits()[name])
			if v == 0 {
				return 0
			}
			total += v
		}
		for _, c := range pod.Spec.InitContainers {
			v := value(c.Resources.GetLimits()[name])
			if v == 0 {
				return 0
			}
			if Restartable(c) {
				total += v
			} else {
				highest = max(highest, v)
			}
		}
		return max(total, highest)
	}
	for _, c := range pod.Spec.Containers {
		cpuRequest += quantity.Milli(c.Resources.GetRequests()["cpu"])
	}
	for _, c := range pod.Spec.InitContainers {
		if Restartable(c) {
			cpuRequest += quantity.Milli(c.Resources.GetRequests()["cpu"])
		}
	}
	return runtime.Resources{
		CPUShares: Shares(cpuRequest), CPUQuota: quota(sum("cpu", quantity.Milli)), CPUPeriod: period,
		MemoryLimit: sum("memory", quantity.Value),
	}
}

// Restartable tells whether an init container is a sidecar: it keeps running beside the regular containers.
func Restartable(c *corev1.Container) bool { return c.GetRestartPolicy() == "Always" }

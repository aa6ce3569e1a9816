package state

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Resources is an amount of everything that a node has and a pod asks for, in integers.
type Resources struct {
	// MilliCPU is thousandths of a core.
	MilliCPU int64
	// Memory and Ephemeral are bytes.
	Memory, Ephemeral int64
	// Pods is how many pods; each asks for one.
	Pods int64
	// Extended holds every other resource by name, in whole units. Nil where there is none.
	Extended map[string]int64
}

// What a container that asks for nothing is taken to use when nodes are ranked, so that such pods spread too
// (Kubernetes' DefaultMilliCPURequest and DefaultMemoryRequest).
const (
	defaultMilliCPU = 100
	defaultMemory   = 200 << 20
)

// Add adds sign times the amounts of o.
func (r *Resources) Add(o *Resources, sign int64) {
	r.MilliCPU += sign * o.MilliCPU
	r.Memory += sign * o.Memory
	r.Ephemeral += sign * o.Ephemeral
	r.Pods += sign * o.Pods
	for name, v := range o.Extended {
		if r.Extended == nil {
			r.Extended = map[string]int64{}
		}
		r.Extended[name] += sign * v
	}
}

// atLeast raises every amount to that of o.
func (r *Resources) atLeast(o *Resources) {
	r.MilliCPU = max(r.MilliCPU, o.MilliCPU)
	r.Memory = max(r.Memory, o.Memory)
	r.Ephemeral = max(r.Ephemeral, o.Ephemeral)
	for name, v := range o.Extended {
		if r.Extended == nil {
			r.Extended = map[string]int64{}
		}
		r.Extended[name] = max(r.Extended[name], v)
	}
}

func (r Resources) clone() Resources {
	r.Extended = maps.Clone(r.Extended)
	return r
}

// ParseResources reads a resource list; what cannot be parsed counts as zero: the API server refused it long before.
func ParseResources(list map[string]*metav1.Quantity) Resources {
	var r Resources
	for name, q := range list {
		v, err := resource.ParseQuantity(q.GetString_())
		if err != nil {
			continue
		}
		switch name {
		case "cpu":
			r.MilliCPU = v.MilliValue()
		case "memory":
			r.Memory = v.Value()
		case "ephemeral-storage":
			r.Ephemeral = v.Value()
		case "pods":
			r.Pods = v.Value()
		default:
			if r.Extended == nil {
				r.Extended = map[string]int64{}
			}
			r.Extended[name] = v.Value()
		}
	}
	return r
}

// PodRequests computes what a pod asks for: the larger of the sum of its containers (with restartable init containers,
// which stay) and the most that any step of its initialisation needs, plus overhead; pod-level requests win where they
// are given. ranked replaces missing requests by what such containers are taken to use.
// https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
func PodRequests(spec *corev1.PodSpec) (asked, ranked Resources) {
	return podRequests(spec, false), podRequests(spec, true)
}

func podRequests(spec *corev1.PodSpec, ranked bool) Resources {
	request := func(c *corev1.Container) Resources {
		list := c.GetResources().GetRequests()
		r := ParseResources(list)
		if ranked {
			if _, ok := list["cpu"]; !ok {
				r.MilliCPU = defaultMilliCPU
			}
			if _, ok := list["memory"]; !ok {
				r.Memory = defaultMemory
			}
		}
		return r
	}
	var total Resources
	for _, c := range spec.GetContainers() {
		r := request(c)
		total.Add(&r, 1)
	}
	var sidecars, peak Resources
	for _, c := range spec.GetInitContainers() {
		r := request(c)
		if c.GetRestartPolicy() == "Always" {
			sidecars.Add(&r, 1)
			total.Add(&r, 1)
			peak.atLeast(&sidecars)
			continue
		}
		step := sidecars.clone()
		step.Add(&r, 1)
		peak.atLeast(&step)
	}
	total.atLeast(&peak)
	if podLevel := spec.GetResources().GetRequests(); len(podLevel) > 0 {
		r := ParseResources(podLevel)
		if _, ok := podLevel["cpu"]; ok {
			total.MilliCPU = r.MilliCPU
		}
		if _, ok := podLevel["memory"]; ok {
			total.Memory = r.Memory
		}
	}
	overhead := ParseResources(spec.GetOverhead())
	total.Add(&overhead, 1)
	total.Pods = 1
	return total
}

// ExtendedNames are the names of the extended resources, sorted.
func (r *Resources) ExtendedNames() []string { return slices.Sorted(maps.Keys(r.Extended)) }

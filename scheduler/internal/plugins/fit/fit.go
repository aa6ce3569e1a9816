// Package fit keeps a node's requests within what it can allocate, and prefers nodes with much left (least allocated) and
// with what is left in proportion (balanced allocation).
package fit

import (
	"math"

	"github.com/keelson/keelson/scheduler/internal/framework"
	"github.com/keelson/keelson/scheduler/internal/state"
)

// Plugin is Kubernetes' NodeResourcesFit.
type Plugin struct{}

// Name implements framework.NodePlugin.
func (Plugin) Name() string { return "NodeResourcesFit" }

// Weight implements framework.NodePlugin.
func (Plugin) Weight() int64 { return 1 }

// Helps implements framework.NodePlugin.
func (Plugin) Helps() framework.Event { return framework.NodeChanged | framework.PodGone }

// Filter implements framework.NodePlugin.
func (Plugin) Filter(class *state.Class) framework.Filter {
	asked := class.Requests
	extended := asked.ExtendedNames()
	return func(n *state.Node) []string {
		var reasons []string
		if n.Requested.Pods+1 > n.Allocatable.Pods {
			reasons = append(reasons, "Too many pods")
		}
		short := func(name string, want, used, have int64) {
			if want > 0 && want > have-used {
				reasons = append(reasons, "Insufficient "+name)
			}
		}
		short("cpu", asked.MilliCPU, n.Requested.MilliCPU, n.Allocatable.MilliCPU)
		short("memory", asked.Memory, n.Requested.Memory, n.Allocatable.Memory)
		short("ephemeral-storage", asked.Ephemeral, n.Requested.Ephemeral, n.Allocatable.Ephemeral)
		for _, name := range extended {
			short(name, asked.Extended[name], n.Requested.Extended[name], n.Allocatable.Extended[name])
		}
		return reasons
	}
}

// Score implements framework.NodePlugin: the mean share of CPU and memory that is left with the pod on the node.
func (Plugin) Score(class *state.Class) framework.Score {
	return func(n *state.Node) int64 {
		cpu, memory := shares(class, n)
		return int64((2 - cpu - memory) / 2 * framework.MaxScore)
	}
}

// Balanced is Kubernetes' NodeResourcesBalancedAllocation.
type Balanced struct{}

// Name implements framework.NodePlugin.
func (Balanced) Name() string { return "NodeResourcesBalancedAllocation" }

// Weight implements framework.NodePlugin.
func (Balanced) Weight() int64 { return 1 }

// Helps implements framework.NodePlugin.
func (Balanced) Helps() framework.Event { return 0 }

// Filter implements framework.NodePlugin.
func (Balanced) Filter(*state.Class) framework.Filter { return nil }

// Score implements framework.NodePlugin: 1 less the standard deviation of the shares in use, which for two of them is
// half their distance.
func (Balanced) Score(class *state.Class) framework.Score {
	return func(n *state.Node) int64 {
		cpu, memory := shares(class, n)
		return int64((1 - math.Abs(cpu-memory)/2) * framework.MaxScore)
	}
}

// shares are the parts of a node's CPU and memory that are taken once the pod is there, at most 1.
func shares(class *state.Class, n *state.Node) (cpu, memory float64) {
	share := func(want, used, have int64) float64 {
		if have <= 0 {
			return 1
		}
		return min(1, float64(used+want)/float64(have))
	}
	return share(class.Ranked.MilliCPU, n.Ranked.MilliCPU, n.Allocatable.MilliCPU),
		share(class.Ranked.Memory, n.Ranked.Memory, n.Allocatable.Memory)
}

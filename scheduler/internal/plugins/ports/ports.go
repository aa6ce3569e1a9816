// Package ports keeps two pods from wanting the same host port of one node.
package ports

import (
	"github.com/keelson/keelson/scheduler/internal/framework"
	"github.com/keelson/keelson/scheduler/internal/state"
)

// Plugin is Kubernetes' NodePorts.
type Plugin struct{}

// Name implements framework.NodePlugin.
func (Plugin) Name() string { return "NodePorts" }

// Weight implements framework.NodePlugin.
func (Plugin) Weight() int64 { return 0 }

// Helps implements framework.NodePlugin.
func (Plugin) Helps() framework.Event { return framework.NodeChanged | framework.PodGone }

// Score implements framework.NodePlugin.
func (Plugin) Score(*state.Class) framework.Score { return nil }

// Filter implements framework.NodePlugin.
func (Plugin) Filter(class *state.Class) framework.Filter {
	if len(class.Ports) == 0 {
		return nil
	}
	refused := []string{"node(s) didn't have free ports for the requested pod ports"}
	return func(n *state.Node) []string {
		if n.Ports.Conflict(class.Ports) {
			return refused
		}
		return nil
	}
}

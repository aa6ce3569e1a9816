// Package replicas keeps pods that are alike apart where nothing else decides, as Kubernetes' default topology spread
// constraints do.
package replicas

import (
	"github.com/keelson/keelson/scheduler/internal/framework"
	"github.com/keelson/keelson/scheduler/internal/state"
)

// Plugin prefers nodes with few pods of the class.
type Plugin struct{}

// Name implements framework.NodePlugin.
func (Plugin) Name() string { return "ReplicaSpread" }

// Weight implements framework.NodePlugin.
func (Plugin) Weight() int64 { return 2 }

// Helps implements framework.NodePlugin.
func (Plugin) Helps() framework.Event { return 0 }

// Filter implements framework.NodePlugin.
func (Plugin) Filter(*state.Class) framework.Filter { return nil }

// Score implements framework.NodePlugin.
func (Plugin) Score(class *state.Class) framework.Score {
	if len(class.Spread) > 0 {
		return nil // The pods say themselves how they want to be spread.
	}
	return func(n *state.Node) int64 { return framework.MaxScore / int64(1+n.Alike[class]) }
}

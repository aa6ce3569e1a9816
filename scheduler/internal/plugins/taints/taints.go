// Package taints keeps pods off nodes whose taints they do not tolerate, and off nodes that are cordoned.
package taints

import (
	"fmt"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/scheduler/internal/framework"
	"github.com/keelson/keelson/scheduler/internal/state"
)

const (
	noSchedule       = "NoSchedule"
	preferNoSchedule = "PreferNoSchedule"
	noExecute        = "NoExecute"
	// unschedulableKey is the taint that stands for spec.unschedulable.
	unschedulableKey = "node.kubernetes.io/unschedulable"
)

// Tolerates tells whether one of the tolerations covers the taint.
// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
func Tolerates(tolerations []*corev1.Toleration, taint *corev1.Taint) bool {
	for _, t := range tolerations {
		if t.GetEffect() != "" && t.GetEffect() != taint.GetEffect() {
			continue
		}
		if t.GetKey() != "" && t.GetKey() != taint.GetKey() {
			continue
		}
		switch t.GetOperator() {
		case "Exists":
			return true
		case "", "Equal":
			if t.GetKey() != "" && t.GetValue() == taint.GetValue() {
				return true
			}
		}
	}
	return false
}

// Plugin is Kubernetes' TaintToleration.
type Plugin struct{}

// Name implements framework.NodePlugin.
func (Plugin) Name() string { return "TaintToleration" }

// Weight implements framework.NodePlugin.
func (Plugin) Weight() int64 { return 3 }

// Helps implements framework.NodePlugin.
func (Plugin) Helps() framework.Event { return framework.NodeChanged }

// Filter implements framework.NodePlugin.
func (Plugin) Filter(class *state.Class) framework.Filter {
	return func(n *state.Node) []string {
		for _, taint := range n.Taints {
			if (taint.GetEffect() == noSchedule || taint.GetEffect() == noExecute) && !Tolerates(class.Tolerations, taint) {
				return []string{fmt.Sprintf("node(s) had untolerated taint {%s: %s}", taint.GetKey(), taint.GetValue())}
			}
		}
		return nil
	}
}

// Score implements framework.NodePlugin: the fewer taints a pod would rather avoid, the better.
func (Plugin) Score(class *state.Class) framework.Score {
	return func(n *state.Node) int64 {
		avoid := int64(0)
		for _, taint := range n.Taints {
			if taint.GetEffect() == preferNoSchedule && !Tolerates(class.Tolerations, taint) {
				avoid++
			}
		}
		return framework.MaxScore / (1 + avoid)
	}
}

// Unschedulable is Kubernetes' NodeUnschedulable.
type Unschedulable struct{}

// Name implements framework.NodePlugin.
func (Unschedulable) Name() string { return "NodeUnschedulable" }

// Weight implements framework.NodePlugin.
func (Unschedulable) Weight() int64 { return 0 }

// Helps implements framework.NodePlugin.
func (Unschedulable) Helps() framework.Event { return framework.NodeChanged }

// Score implements framework.NodePlugin.
func (Unschedulable) Score(*state.Class) framework.Score { return nil }

// Filter implements framework.NodePlugin.
func (Unschedulable) Filter(class *state.Class) framework.Filter {
	if Tolerates(class.Tolerations, &corev1.Taint{Key: unschedulableKey, Effect: noSchedule}) {
		return nil
	}
	refused := []string{"node(s) were unschedulable"}
	return func(n *state.Node) []string {
		if n.Unschedulable {
			return refused
		}
		return nil
	}
}

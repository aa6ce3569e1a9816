// Package affinity matches pods with nodes by the nodes' labels: node selector and node affinity.
package affinity

import (
	"slices"
	"strconv"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/scheduler/internal/framework"
	"github.com/keelson/keelson/scheduler/internal/state"
)

// Plugin is Kubernetes' NodeAffinity.
type Plugin struct{}

// Name implements framework.NodePlugin.
func (Plugin) Name() string { return "NodeAffinity" }

// Weight implements framework.NodePlugin.
func (Plugin) Weight() int64 { return 2 }

// Helps implements framework.NodePlugin.
func (Plugin) Helps() framework.Event { return framework.NodeChanged }

// Filter implements framework.NodePlugin.
func (Plugin) Filter(class *state.Class) framework.Filter {
	required := class.Affinity.GetNodeAffinity().GetRequiredDuringSchedulingIgnoredDuringExecution()
	if len(class.NodeSelector) == 0 && required == nil {
		return nil
	}
	refused := []string{"node(s) didn't match Pod's node affinity/selector"}
	return func(n *state.Node) []string {
		if Matches(class, n) {
			return nil
		}
		return refused
	}
}

// Matches tells whether a node has the labels that the pods of a class require.
func Matches(class *state.Class, n *state.Node) bool {
	for k, v := range class.NodeSelector {
		if got, ok := n.Labels[k]; !ok || got != v {
			return false
		}
	}
	required := class.Affinity.GetNodeAffinity().GetRequiredDuringSchedulingIgnoredDuringExecution()
	if required == nil {
		return true
	}
	// Terms are alternatives.
	return slices.ContainsFunc(required.GetNodeSelectorTerms(), func(t *corev1.NodeSelectorTerm) bool { return matchTerm(t, n) })
}

// Score implements framework.NodePlugin: the share of the preferred terms' weight that the node has.
func (Plugin) Score(class *state.Class) framework.Score {
	preferred := class.Affinity.GetNodeAffinity().GetPreferredDuringSchedulingIgnoredDuringExecution()
	total := int64(0)
	for _, p := range preferred {
		total += int64(p.GetWeight())
	}
	if total <= 0 {
		return nil
	}
	return func(n *state.Node) int64 {
		have := int64(0)
		for _, p := range preferred {
			if matchTerm(p.GetPreference(), n) {
				have += int64(p.GetWeight())
			}
		}
		return max(0, have) * framework.MaxScore / total
	}
}

// matchTerm tells whether a node meets every requirement of a term; an empty term matches nothing.
func matchTerm(t *corev1.NodeSelectorTerm, n *state.Node) bool {
	if len(t.GetMatchExpressions()) == 0 && len(t.GetMatchFields()) == 0 {
		return false
	}
	for _, r := range t.GetMatchExpressions() {
		value, ok := n.Labels[r.GetKey()]
		if !matchRequirement(r, value, ok) {
			return false
		}
	}
	for _, r := range t.GetMatchFields() {
		// metadata.name is the only field that the API accepts here.
		if !matchRequirement(r, n.Name, r.GetKey() == "metadata.name") {
			return false
		}
	}
	return true
}

func matchRequirement(r *corev1.NodeSelectorRequirement, value string, present bool) bool {
	switch r.GetOperator() {
	case "In":
		return present && slices.Contains(r.GetValues(), value)
	case "NotIn":
		return !present || !slices.Contains(r.GetValues(), value)
	case "Exists":
		return present
	case "DoesNotExist":
		return !present
	case "Gt", "Lt":
		if !present || len(r.GetValues()) != 1 {
			return false
		}
		have, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return false
		}
		bound, err := strconv.ParseInt(r.GetValues()[0], 10, 64)
		if err != nil {
			return false
		}
		if r.GetOperator() == "Gt" {
			return have > bound
		}
		return have < bound
	}
	return false
}

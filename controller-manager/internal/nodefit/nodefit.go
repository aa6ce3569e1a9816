// Package nodefit tells whether a pod may be on a node: by node selector, required node affinity, and taints. It is pure.
package nodefit

import (
	"slices"
	"strconv"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// fieldName is the only field that node affinity can name.
const fieldName = "metadata.name"

// Selects reports whether the pod's node selector and required node affinity admit the node.
func Selects(spec *corev1.PodSpec, node *corev1.Node) bool {
	labels := node.GetMetadata().GetLabels()
	for k, v := range spec.GetNodeSelector() {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	required := spec.GetAffinity().GetNodeAffinity().GetRequiredDuringSchedulingIgnoredDuringExecution()
	if required == nil {
		return true
	}
	return slices.ContainsFunc(required.GetNodeSelectorTerms(), func(t *corev1.NodeSelectorTerm) bool { return term(t, node) })
}

// term reports whether all requirements of a term hold; one without any holds for no node.
func term(t *corev1.NodeSelectorTerm, node *corev1.Node) bool {
	if len(t.GetMatchExpressions())+len(t.GetMatchFields()) == 0 {
		return false
	}
	for _, r := range t.GetMatchExpressions() {
		value, ok := node.GetMetadata().GetLabels()[r.GetKey()]
		if !holds(r, value, ok) {
			return false
		}
	}
	for _, r := range t.GetMatchFields() {
		if r.GetKey() != fieldName || !holds(r, node.GetMetadata().GetName(), true) {
			return false
		}
	}
	return true
}

func holds(r *corev1.NodeSelectorRequirement, value string, ok bool) bool {
	switch r.GetOperator() {
	case "In":
		return ok && slices.Contains(r.GetValues(), value)
	case "NotIn":
		return !ok || !slices.Contains(r.GetValues(), value)
	case "Exists":
		return ok
	case "DoesNotExist":
		return !ok
	case "Gt", "Lt":
		if !ok || len(r.GetValues()) != 1 {
			return false
		}
		have, err1 := strconv.ParseInt(value, 10, 64)
		than, err2 := strconv.ParseInt(r.GetValues()[0], 10, 64)
		return err1 == nil && err2 == nil && (r.GetOperator() == "Gt" && have > than || r.GetOperator() == "Lt" && have < than)
	}
	return false
}

// Toleration returns the first toleration that covers the taint, nil where there is none.
func Toleration(tolerations []*corev1.Toleration, taint *corev1.Taint) *corev1.Toleration {
	for _, t := range tolerations {
		if covers(t, taint) {
			return t
		}
	}
	return nil
}

func covers(t *corev1.Toleration, taint *corev1.Taint) bool {
	if t.GetEffect() != "" && t.GetEffect() != taint.GetEffect() || t.GetKey() != "" && t.GetKey() != taint.GetKey() {
		return false
	}
	switch t.GetOperator() {
	case "Exists":
		return true
	case "Equal", "":
		return t.GetKey() != "" && t.GetValue() == taint.GetValue()
	case "Gt", "Lt":
		have, err1 := strconv.ParseInt(taint.GetValue(), 10, 64)
		than, err2 := strconv.ParseInt(t.GetValue(), 10, 64)
		return err1 == nil && err2 == nil && (t.GetOperator() == "Gt" && have > than || t.GetOperator() == "Lt" && have < than)
	}
	return false
}

// Tolerates reports whether all taints of the effects are covered.
func Tolerates(tolerations []*corev1.Toleration, taints []*corev1.Taint, effects ...string) bool {
	for _, taint := range taints {
		if slices.Contains(effects, taint.GetEffect()) && Toleration(tolerations, taint) == nil {
			return false
		}
	}
	return true
}

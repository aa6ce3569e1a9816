package core

import (
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/rule"
	"github.com/keelson/keelson/proto/schema/shape"
)

// onlyNarrower lets a gated pod say more closely where it may run, and take nothing back: whoever opened a gate before
// has counted on it.
func onlyNarrower(s, before *corev1.PodSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	for k, v := range before.NodeSelector {
		if now, ok := s.NodeSelector[k]; !ok || now != v {
			errs = append(errs, field.Invalid(at.Child("nodeSelector"), s.NodeSelector, "only additions to spec.nodeSelector are allowed (no mutations or deletions)"))
			break
		}
	}
	terms := func(s *corev1.PodSpec) []*corev1.NodeSelectorTerm {
		return s.GetAffinity().GetNodeAffinity().GetRequiredDuringSchedulingIgnoredDuringExecution().GetNodeSelectorTerms()
	}
	had, now := terms(before), terms(s)
	if len(had) == 0 {
		return errs
	}
	at = at.Child("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	if len(now) != len(had) {
		return append(errs, field.Invalid(at, rule.Values(now), "no additions/deletions to non-empty NodeSelectorTerms list are allowed"))
	}
	for i, t := range had {
		empty := len(t.MatchExpressions) == 0 && len(t.MatchFields) == 0
		if empty && (len(now[i].MatchExpressions) > 0 || len(now[i].MatchFields) > 0) ||
			!startsWith(now[i].MatchExpressions, t.MatchExpressions) || !startsWith(now[i].MatchFields, t.MatchFields) {
			errs = append(errs, field.Invalid(at.Index(i), rule.Value(now[i]), "only additions are allowed (no mutations or deletions)"))
		}
	}
	return errs
}

// withNodeAffinityOf is an affinity with another's towards nodes.
func withNodeAffinityOf(a, nodes *corev1.Affinity) *corev1.Affinity {
	if a == nil && nodes.GetNodeAffinity() == nil {
		return nil
	}
	out := &corev1.Affinity{NodeAffinity: nodes.GetNodeAffinity(), PodAffinity: a.GetPodAffinity(), PodAntiAffinity: a.GetPodAntiAffinity()}
	if proto.Size(out) == 0 && nodes == nil {
		return nil
	}
	return out
}

func startsWith(list, prefix []*corev1.NodeSelectorRequirement) bool {
	if len(list) < len(prefix) {
		return false
	}
	for i, r := range prefix {
		if !shape.Equal(list[i].ProtoReflect(), r.ProtoReflect()) {
			return false
		}
	}
	return true
}

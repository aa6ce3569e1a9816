package core

import (
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
)

func nodeSelector(s *corev1.NodeSelector, at *rule.Path) rule.ErrorList {
	if len(s.NodeSelectorTerms) == 0 {
		return rule.ErrorList{field.Required(at.Child("nodeSelectorTerms"), "must have at least one node selector term")}
	}
	return nil
}

func nodeRequirement(r *corev1.NodeSelectorRequirement, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	switch r.Operator {
	case "In", "NotIn":
		if len(r.Values) == 0 {
			errs = append(errs, field.Required(at.Child("values"), "must be specified when `operator` is 'In' or 'NotIn'"))
		}
	case "Exists", "DoesNotExist":
		if len(r.Values) > 0 {
			errs = append(errs, field.Forbidden(at.Child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
		}
	case "Gt", "Lt":
		if len(r.Values) != 1 {
			errs = append(errs, field.Required(at.Child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'"))
		} else if _, err := strconv.ParseInt(r.Values[0], 10, 64); err != nil {
			errs = append(errs, field.Invalid(at.Child("values").Index(0), r.Values[0], "for 'Gt', 'Lt' operators, the value must be an integer"))
		}
	default:
		errs = append(errs, field.Invalid(at.Child("operator"), r.Operator, "not a valid selector operator"))
	}
	for _, msg := range format.QualifiedName(r.Key) {
		errs = append(errs, field.Invalid(at.Child("key"), r.Key, msg))
	}
	return errs
}

func preferredNodes(t *corev1.PreferredSchedulingTerm, at *rule.Path) rule.ErrorList {
	return weight(t.Weight, at)
}

func preferredPods(t *corev1.WeightedPodAffinityTerm, at *rule.Path) rule.ErrorList {
	return weight(t.Weight, at)
}

func weight(n int32, at *rule.Path) rule.ErrorList {
	if n < 1 || n > 100 {
		return rule.ErrorList{field.Invalid(at.Child("weight"), n, "must be in the range 1-100")}
	}
	return nil
}

func podAffinityTerm(t *corev1.PodAffinityTerm, at *rule.Path) rule.ErrorList {
	if t.TopologyKey == "" {
		return rule.ErrorList{field.Required(at.Child("topologyKey"), "can not be empty")}
	}
	var errs rule.ErrorList
	for _, msg := range format.QualifiedName(t.TopologyKey) {
		errs = append(errs, field.Invalid(at.Child("topologyKey"), t.TopologyKey, msg))
	}
	for i, ns := range t.Namespaces {
		for _, msg := range format.Label(ns) {
			errs = append(errs, field.Invalid(at.Child("namespaces").Index(i), ns, msg))
		}
	}
	return errs
}

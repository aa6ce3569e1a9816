package core

import (
	"maps"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// defaultController takes the selector, and the labels of the controller itself, from its pods.
func defaultController(r *corev1.ReplicationController) {
	labels := r.GetSpec().GetTemplate().GetMetadata().GetLabels()
	if len(labels) == 0 {
		return
	}
	if len(r.Spec.Selector) == 0 {
		r.Spec.Selector = maps.Clone(labels)
	}
	if m := r.GetMetadata(); m != nil && len(m.Labels) == 0 {
		m.Labels = maps.Clone(labels)
	}
}

func controller(r, _ *corev1.ReplicationController) rule.ErrorList {
	s, at := r.GetSpec(), field.NewPath("spec")
	var errs rule.ErrorList
	if len(s.GetSelector()) == 0 {
		errs = append(errs, field.Required(at.Child("selector"), ""))
	}
	at = at.Child("template")
	t := s.GetTemplate()
	if t == nil {
		return append(errs, field.Required(at, ""))
	}
	labels := t.GetMetadata().GetLabels()
	for k, v := range s.GetSelector() {
		if labels[k] != v {
			if labels == nil {
				labels = map[string]string{}
			}
			errs = append(errs, field.Invalid(at.Child("metadata", "labels"), labels, "`selector` does not match template `labels`"))
			break
		}
	}
	if p := t.GetSpec().GetRestartPolicy(); p != "Always" && p != "" {
		errs = append(errs, field.NotSupported(at.Child("spec", "restartPolicy"), p, []string{"Always"}))
	}
	if t.GetSpec() != nil && t.Spec.ActiveDeadlineSeconds != nil {
		errs = append(errs, field.Forbidden(at.Child("spec", "activeDeadlineSeconds"), "activeDeadlineSeconds in ReplicationController is not Supported"))
	}
	return errs
}

func controllerStatus(r, _ *corev1.ReplicationController) rule.ErrorList {
	s, at := r.GetStatus(), field.NewPath("status")
	var errs rule.ErrorList
	for _, c := range []struct {
		name string
		n    int64
	}{{"replicas", int64(s.GetReplicas())}, {"fullyLabeledReplicas", int64(s.GetFullyLabeledReplicas())}, {"readyReplicas", int64(s.GetReadyReplicas())},
		{"availableReplicas", int64(s.GetAvailableReplicas())}, {"observedGeneration", s.GetObservedGeneration()}} {
		if c.n < 0 {
			errs = append(errs, field.Invalid(at.Child(c.name), c.n, validation.IsNegativeErrorMsg))
		}
		if c.name != "observedGeneration" && c.n > int64(s.GetReplicas()) {
			errs = append(errs, field.Invalid(at.Child(c.name), c.n, "cannot be greater than status.replicas"))
		}
	}
	if n := s.GetAvailableReplicas(); n > s.GetReadyReplicas() {
		errs = append(errs, field.Invalid(at.Child("availableReplicas"), n, "cannot be greater than readyReplicas"))
	}
	return errs
}

package core

import (
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Annotations of pods with a meaning of their own.
const (
	mirrorPod    = "kubernetes.io/config.mirror"
	deletionCost = "controller.kubernetes.io/pod-deletion-cost"
)

// podAnnotations checks the annotations by which a pod says something. A cost that is stored and wrong may stay.
func podAnnotations(p, old *corev1.Pod) rule.ErrorList {
	var errs rule.ErrorList
	at := field.NewPath("metadata", "annotations")
	all := p.GetMetadata().GetAnnotations()
	if v, ok := all[mirrorPod]; ok && p.GetSpec().GetNodeName() == "" {
		errs = append(errs, field.Invalid(at.Key(mirrorPod), v, "must set spec.nodeName if mirror pod annotation is set"))
	}
	if v, ok := all[deletionCost]; ok && !validCost(v) {
		if was, had := old.GetMetadata().GetAnnotations()[deletionCost]; !had || validCost(was) {
			errs = append(errs, field.Invalid(at.Key(deletionCost), v, "must be a 32bit integer"))
		}
	}
	return errs
}

// validCost accepts integers without a plus sign or leading zeros.
func validCost(v string) bool {
	if v == "" || v[0] == '+' || v[0] == '0' && v != "0" {
		return false
	}
	_, err := strconv.ParseInt(v, 10, 32)
	return err == nil
}

package core

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/rule"
	"github.com/keelson/keelson/proto/schema/shape"
)

func pod(p, old *corev1.Pod) rule.ErrorList {
	at := field.NewPath("spec")
	if old != nil {
		return podUpdate(p, old, at)
	}
	errs := podAnnotations(p, nil)
	if len(p.GetSpec().GetEphemeralContainers()) > 0 {
		errs = append(errs, field.Forbidden(at.Child("ephemeralContainers"), "cannot be set on create"))
	}
	if p.GetSpec().GetNodeName() != "" && len(p.GetSpec().GetSchedulingGates()) > 0 {
		errs = append(errs, field.Forbidden(at.Child("nodeName"), "cannot be set until all schedulingGates have been cleared"))
	}
	return errs
}

const podUpdateRule = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
	"`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` " +
	"(allow it to be set to 1 if it was previously negative)"

// podUpdate allows what may change of a pod that exists: images, deadlines, more tolerations, fewer gates.
func podUpdate(p, old *corev1.Pod, at *rule.Path) rule.ErrorList {
	s, before := p.GetSpec(), old.GetSpec()
	if s == nil {
		s = &corev1.PodSpec{}
	}
	if before == nil {
		before = &corev1.PodSpec{}
	}
	errs := podAnnotations(p, old)
	if shape.Equal(s.ProtoReflect(), before.ProtoReflect()) {
		return errs // as with most updates
	}
	if len(s.Containers) != len(before.Containers) {
		return append(errs, field.Forbidden(at.Child("containers"), "pod updates may not add or remove containers"))
	}
	if len(s.InitContainers) != len(before.InitContainers) {
		return append(errs, field.Forbidden(at.Child("initContainers"), "pod updates may not add or remove containers"))
	}
	if n := s.ActiveDeadlineSeconds; n != nil {
		if was := before.ActiveDeadlineSeconds; was != nil && *n > *was {
			errs = append(errs, field.Invalid(at.Child("activeDeadlineSeconds"), *n, "must be less than or equal to previous value"))
		}
	} else if before.ActiveDeadlineSeconds != nil {
		errs = append(errs, field.Invalid(at.Child("activeDeadlineSeconds"), nil, "must not update from a positive integer to nil value"))
	}
	errs = append(errs, onlyMoreTolerations(s, before, at.Child("tolerations"))...)
	var had []string
	for _, g := range before.SchedulingGates {
		had = append(had, g.Name)
	}
	for i, g := range s.SchedulingGates {
		if !slices.Contains(had, g.Name) {
			errs = append(errs, field.Forbidden(at.Child("schedulingGates").Index(i), "only deletion is allowed, but found new scheduling gate '"+g.Name+"'"))
		}
	}
	allowed := proto.CloneOf(s)
	allowed.ActiveDeadlineSeconds = before.ActiveDeadlineSeconds
	allowed.Tolerations = before.Tolerations
	allowed.SchedulingGates = before.SchedulingGates
	for i, c := range allowed.Containers {
		c.Image = before.Containers[i].Image
	}
	for i, c := range allowed.InitContainers {
		c.Image = before.InitContainers[i].Image
	}
	if before.GetTerminationGracePeriodSeconds() < 0 && s.GetTerminationGracePeriodSeconds() == 1 {
		allowed.TerminationGracePeriodSeconds = before.TerminationGracePeriodSeconds
	}
	if len(before.SchedulingGates) > 0 {
		errs = append(errs, onlyNarrower(s, before, at)...)
		allowed.NodeSelector = before.NodeSelector
		allowed.Affinity = withNodeAffinityOf(allowed.Affinity, before.Affinity)
	}
	if changed := changedFields(allowed, before); len(changed) > 0 {
		errs = append(errs, field.Forbidden(at, podUpdateRule+"\nchanged: "+strings.Join(changed, ", ")))
	}
	return errs
}

func onlyMoreTolerations(s, before *corev1.PodSpec, at *rule.Path) rule.ErrorList {
	for _, old := range before.Tolerations {
		kept := slices.ContainsFunc(s.Tolerations, func(t *corev1.Toleration) bool {
			t = proto.CloneOf(t)
			t.TolerationSeconds = old.TolerationSeconds
			return proto.Equal(t, old)
		})
		if !kept {
			return rule.ErrorList{field.Forbidden(at, "existing toleration can not be modified except its tolerationSeconds")}
		}
	}
	return nil
}

// changedFields names the top-level fields in which two messages differ.
func changedFields[T proto.Message](a, b T) []string {
	var out []string
	ma, mb := a.ProtoReflect(), b.ProtoReflect()
	for _, f := range shape.Of(ma.Descriptor()).Fields {
		if !f.Equal(f.Holder(ma), f.Holder(mb)) {
			out = append(out, "spec."+f.Name)
		}
	}
	return out
}

func podTemplate(t *corev1.PodTemplateSpec, at *rule.Path) rule.ErrorList {
	errs := rule.Labels(t.GetMetadata().GetLabels(), at.Child("metadata", "labels"))
	errs = append(errs, rule.Annotations(t.GetMetadata().GetAnnotations(), at.Child("metadata", "annotations"))...)
	if len(t.GetSpec().GetEphemeralContainers()) > 0 {
		errs = append(errs, field.Forbidden(at.Child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template"))
	}
	return errs
}

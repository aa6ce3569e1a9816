package podsecurity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema"
)

// maxPods is how many pods of a namespace are looked at when its labels change.
const maxPods = 3000

// Plugin enforces the standards.
type Plugin struct{ access strategy.Access }

// Name implements admission.Plugin.
func (*Plugin) Name() string { return "PodSecurity" }

// Attach implements pipeline.Attacher.
func (p *Plugin) Attach(s *pipeline.Server) { p.access = s.Access() }

// Admit implements admission.Plugin; it changes nothing.
func (*Plugin) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (p *Plugin) Validate(ctx context.Context, r *admission.Request) error {
	if p.access == nil || r.Operation != admission.Create && r.Operation != admission.Update {
		return nil
	}
	if n, ok := r.Object.(*corev1.Namespace); ok && r.Subresource == "" {
		return p.namespace(r, n)
	}
	if pod, ok := r.Object.(*corev1.Pod); ok {
		if r.Subresource != "" && r.Subresource != "ephemeralcontainers" {
			return nil
		}
		return p.pod(ctx, r, pod)
	}
	meta, spec := template(r.Object)
	if spec == nil || r.Subresource != "" {
		return nil
	}
	return p.template(ctx, r, meta, spec)
}

// template returns the pods that an object makes; nil where it makes none.
func template(obj admission.Object) (*metav1.ObjectMeta, *corev1.PodSpec) {
	var t *corev1.PodTemplateSpec
	switch o := obj.(type) {
	case *corev1.PodTemplate:
		t = o.GetTemplate()
	case *corev1.ReplicationController:
		t = o.GetSpec().GetTemplate()
	case *appsv1.ReplicaSet:
		t = o.GetSpec().GetTemplate()
	case *appsv1.Deployment:
		t = o.GetSpec().GetTemplate()
	case *appsv1.StatefulSet:
		t = o.GetSpec().GetTemplate()
	case *appsv1.DaemonSet:
		t = o.GetSpec().GetTemplate()
	case *batchv1.Job:
		t = o.GetSpec().GetTemplate()
	case *batchv1.CronJob:
		t = o.GetSpec().GetJobTemplate().GetSpec().GetTemplate()
	}
	return t.GetMetadata(), t.GetSpec()
}

// of returns what a request's namespace asks for.
func (p *Plugin) of(ctx context.Context, namespace string) (policy, error) {
	it, err := strategy.Find(ctx, p.access, "", "namespaces", "", namespace)
	if err != nil {
		return policy{}, err
	}
	msg, err := it.Decode()
	if err != nil {
		return policy{}, apierrors.NewInternal(err)
	}
	out, _ := parse(msg.(*corev1.Namespace).GetMetadata().GetLabels())
	return out, nil
}

func (p *Plugin) pod(ctx context.Context, r *admission.Request, pod *corev1.Pod) error {
	want, err := p.of(ctx, r.Namespace)
	if err != nil {
		return err
	}
	if want.enforce.level == privileged && want.audit.level == privileged && want.warn.level == privileged {
		return nil
	}
	if old, ok := r.Old.(*corev1.Pod); ok && !significant(pod, old) {
		return nil
	}
	s := newSubject(pod.GetMetadata(), pod.GetSpec())
	if want.enforce.level != privileged {
		note(r, "enforce-policy", want.enforce.String())
		if found := want.enforce.level.evaluate(s); len(found) > 0 {
			return apierrors.NewForbidden("", "pods", nameOf(r), errors.New(violates(want.enforce, found)))
		}
	}
	p.tell(r, want, s)
	return nil
}

func nameOf(r *admission.Request) string {
	if r.Name == "" {
		return r.Object.GetMetadata().GetName()
	}
	return r.Name
}

func violates(w wish, found []violation) string {
	return fmt.Sprintf("violates PodSecurity %q: %s", w.String(), join(found))
}

// template warns about pods that would be refused; it refuses nothing itself.
func (p *Plugin) template(ctx context.Context, r *admission.Request, meta *metav1.ObjectMeta, spec *corev1.PodSpec) error {
	if r.Old != nil {
		if _, was := template(r.Old); schema.Equal(was, spec) {
			return nil
		}
	}
	want, err := p.of(ctx, r.Namespace)
	if err != nil {
		return err
	}
	if want.audit.level != privileged || want.warn.level != privileged {
		p.tell(r, want, newSubject(meta, spec))
	}
	return nil
}

// tell notes and warns.
func (p *Plugin) tell(r *admission.Request, want policy, s *subject) {
	if found := want.audit.level.evaluate(s); len(found) > 0 {
		note(r, "audit-violations", fmt.Sprintf("would violate PodSecurity %q: %s", want.audit.String(), join(found)))
	}
	if found := want.warn.level.evaluate(s); len(found) > 0 && r.Warn != nil {
		r.Warn(fmt.Sprintf("would violate PodSecurity %q: %s", want.warn.String(), join(found)))
	}
}

func note(r *admission.Request, key, value string) {
	if r.Annotate != nil && key != "enforce-policy" { // which policy held says nothing where it was kept to
		r.Annotate(prefix+key, value)
	}
}

// significant tells whether an update changes what the checks look at: of a pod little else than images can change.
func significant(pod, old *corev1.Pod) bool {
	if !maps.Equal(pod.GetMetadata().GetAnnotations(), old.GetMetadata().GetAnnotations()) {
		for k := range pod.GetMetadata().GetAnnotations() {
			if strings.HasPrefix(k, appArmorAnnotation) {
				return true
			}
		}
	}
	return !schema.Equal(pod.GetSpec(), old.GetSpec())
}

// namespace refuses labels that mean nothing, and warns about pods that the new ones would have refused.
func (p *Plugin) namespace(r *admission.Request, n *corev1.Namespace) error {
	labels := n.GetMetadata().GetLabels()
	want, errs := parse(labels)
	old, _ := r.Old.(*corev1.Namespace)
	if old != nil {
		before, was := parse(old.GetMetadata().GetLabels())
		if len(errs) > 0 && len(was) == 0 {
			return apierrors.NewInvalid("", "Namespace", nameOf(r), schema.Causes(errs))
		}
		if before.enforce == want.enforce || want.enforce.level == privileged || want.enforce.level <= before.enforce.level {
			return nil
		}
		p.existing(r, want.enforce)
		return nil
	}
	if len(errs) > 0 {
		return apierrors.NewInvalid("", "Namespace", nameOf(r), schema.Causes(errs))
	}
	return nil
}

// existing warns about the pods that a namespace has and that its new level forbids, those with the same faults
// together.
func (p *Plugin) existing(r *admission.Request, want wish) {
	if r.Warn == nil {
		return
	}
	byFault := map[string][]string{}
	items := p.access.Items("", "pods", nameOf(r))
	for _, it := range items[:min(len(items), maxPods)] {
		msg, err := it.Decode()
		if err != nil {
			continue
		}
		pod := msg.(*corev1.Pod)
		if found := want.level.evaluate(newSubject(pod.GetMetadata(), pod.GetSpec())); len(found) > 0 {
			byFault[reasons(found)] = append(byFault[reasons(found)], it.Name)
		}
	}
	if len(byFault) == 0 {
		return
	}
	r.Warn(fmt.Sprintf("existing pods in namespace %q violate the new PodSecurity enforce level %q", nameOf(r), want.String()))
	var lines []string
	for fault, pods := range byFault {
		line := pods[0]
		switch n := len(pods) - 1; n {
		case 0:
		case 1:
			line += " (and 1 other pod)"
		default:
			line += fmt.Sprintf(" (and %d other pods)", n)
		}
		lines = append(lines, line+": "+fault)
	}
	slices.Sort(lines)
	for _, line := range lines {
		r.Warn(line)
	}
	if len(items) > maxPods {
		r.Warn(fmt.Sprintf("new PodSecurity enforce level only checked against the first %d of %d existing pods", maxPods, len(items)))
	}
}

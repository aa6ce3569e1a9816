package core

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// bind assigns a pod to a node. A pod is bound once: the second binding is a conflict, whatever node it names.
func bind(ctx context.Context, r *strategy.SubRequest) (proto.Message, error) {
	b := r.Body.(*corev1.Binding)
	if name := b.GetMetadata().GetName(); name != "" && r.Name != "" && name != r.Name {
		return nil, apierrors.NewBadRequest("name in URL does not match name in Binding object")
	}
	if k := b.GetTarget().GetKind(); k != "" && k != "Node" {
		return nil, invalidBinding(r.Name, "FieldValueNotSupported", "target.kind", fmt.Sprintf(`Unsupported value: %q: supported values: "Node", "<empty>"`, k))
	}
	node := b.GetTarget().GetName()
	if node == "" {
		return nil, invalidBinding(r.Name, "FieldValueRequired", "target.name", "Required value")
	}
	_, err := r.Access.Change(ctx, strategy.Target{Resource: "pods", Namespace: r.Namespace, Name: r.Name, DryRun: r.DryRun}, func(obj strategy.Object) error {
		p := obj.(*corev1.Pod)
		conflict := func(format string, args ...any) error {
			return apierrors.NewConflict("", "pods/binding", r.Name, fmt.Errorf(format, args...))
		}
		want := b.GetMetadata()
		switch {
		case want.GetUid() != "" && want.GetUid() != p.Metadata.GetUid():
			return apierrors.NewPreconditionFailed("", "pods/binding", r.Name, "UID", want.GetUid(), p.Metadata.GetUid())
		case want.GetResourceVersion() != "" && want.GetResourceVersion() != p.Metadata.GetResourceVersion():
			return apierrors.NewPreconditionFailed("", "pods/binding", r.Name, "ResourceVersion", want.GetResourceVersion(), p.Metadata.GetResourceVersion())
		case p.Metadata.GetDeletionTimestamp() != nil:
			return conflict("pod %s is being deleted, cannot be assigned to a host", r.Name)
		case p.GetSpec().GetNodeName() != "":
			return conflict("pod %s is already assigned to node %q", r.Name, p.Spec.NodeName)
		case len(p.GetSpec().GetSchedulingGates()) != 0:
			return conflict("pod %s has non-empty .spec.schedulingGates", r.Name)
		}
		assign(p, node, want)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return success(), nil
}

func invalidBinding(name, reason, field, message string) error {
	return apierrors.NewInvalid("", "Binding", name, []*metav1.StatusCause{{Reason: reason, Field: field, Message: message}})
}

func assign(p *corev1.Pod, node string, meta *metav1.ObjectMeta) {
	if p.Spec == nil {
		p.Spec = &corev1.PodSpec{}
	}
	p.Spec.NodeName = node
	for k, v := range meta.GetLabels() {
		if _, ok := p.Metadata.Labels[k]; ok {
			continue // the pod's own
		}
		if p.Metadata.Labels == nil {
			p.Metadata.Labels = map[string]string{}
		}
		p.Metadata.Labels[k] = v
	}
	for k, v := range meta.GetAnnotations() {
		if p.Metadata.Annotations == nil {
			p.Metadata.Annotations = map[string]string{}
		}
		p.Metadata.Annotations[k] = v
	}
	if p.Status == nil {
		p.Status = &corev1.PodStatus{}
	}
	now := time.Now().Unix()
	for _, c := range p.Status.Conditions {
		if c.Type != "PodScheduled" {
			continue
		}
		if c.Status != "True" {
			c.LastTransitionTime = &metav1.Time{Seconds: &now, Nanos: new(int32)}
		}
		c.Status, c.Reason, c.Message = "True", "", ""
		return
	}
	p.Status.Conditions = append(p.Status.Conditions, &corev1.PodCondition{
		Type: "PodScheduled", Status: "True", LastTransitionTime: &metav1.Time{Seconds: &now, Nanos: new(int32)},
	})
}

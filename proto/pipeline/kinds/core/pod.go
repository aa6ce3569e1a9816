package core

import (
	"context"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/kinds/core"
)

// Pods are the hooks of pods.
func Pods() strategy.Hooks {
	return strategy.Hooks{PrepareCreate: preparePod, PrepareStatus: preparePodStatus, Grace: podGrace, Parts: map[string]strategy.Part{
		"ephemeralcontainers": {Keep: keepEphemeral, Validate: validateEphemeral},
		"resize":              {Keep: keepResize, Validate: validateResize},
	}}
}

// keepEphemeral takes everything but the ephemeral containers from the stored pod.
func keepEphemeral(obj, old strategy.Object) {
	p, was := obj.(*corev1.Pod), old.(*corev1.Pod)
	sent := p.GetSpec().GetEphemeralContainers()
	p.Spec, p.Status = proto.CloneOf(was.GetSpec()), was.GetStatus()
	if p.Spec == nil {
		p.Spec = &corev1.PodSpec{}
	}
	p.Spec.EphemeralContainers = sent
}

func validateEphemeral(k *schema.Kind, obj, old strategy.Object) schema.ErrorList {
	p, was := obj.(*corev1.Pod), old.(*corev1.Pod)
	// The rules of an ordinary update hold for everything else.
	with := proto.CloneOf(was)
	with.Spec.EphemeralContainers = p.GetSpec().GetEphemeralContainers()
	return append(k.ValidateWhole(p, with), core.EphemeralContainers(p, was)...)
}

func keepResize(obj, old strategy.Object) { core.ResizeKeep(obj.(*corev1.Pod), old.(*corev1.Pod)) }

func validateResize(k *schema.Kind, obj, old strategy.Object) schema.ErrorList {
	p, was := obj.(*corev1.Pod), old.(*corev1.Pod)
	with := proto.CloneOf(was)
	with.Spec = p.GetSpec()
	return append(k.ValidateWhole(p, with), core.Resize(p, was, qosClass)...)
}

func preparePod(_ context.Context, obj strategy.Object) {
	p := obj.(*corev1.Pod)
	p.Status = &corev1.PodStatus{Phase: "Pending", QosClass: qosClass(p.GetSpec())}
	if n := p.GetSpec().GetTerminationGracePeriodSeconds(); n < 0 {
		p.Spec.TerminationGracePeriodSeconds = proto.Int64(1) // what was once taken, and meant this
	}
	if len(p.GetSpec().GetSchedulingGates()) > 0 {
		p.Status.Conditions = []*corev1.PodCondition{{
			Type: "PodScheduled", Status: "False", Reason: "SchedulingGated", Message: "Scheduling is blocked due to non-empty scheduling gates",
		}}
	}
}

// preparePodStatus keeps what a status write cannot change.
func preparePodStatus(_ context.Context, obj, old strategy.Object) {
	p, was := obj.(*corev1.Pod), old.(*corev1.Pod)
	p.GetMetadata().OwnerReferences = was.GetMetadata().GetOwnerReferences()
	if p.Status == nil {
		p.Status = &corev1.PodStatus{}
	}
	if p.Status.QosClass == "" {
		p.Status.QosClass = was.GetStatus().GetQosClass()
	}
}

// podGrace is the time that a pod has to end: nobody needs to wait for one that runs nowhere or has ended.
func podGrace(obj strategy.Object, asked *int64) *int64 {
	p := obj.(*corev1.Pod)
	var grace int64
	switch {
	case asked != nil:
		grace = *asked
	case p.GetSpec().TerminationGracePeriodSeconds != nil:
		grace = *p.Spec.TerminationGracePeriodSeconds
	}
	if grace < 0 {
		grace = 1
	}
	phase := p.GetStatus().GetPhase()
	if p.GetSpec().GetNodeName() == "" || phase == "Succeeded" || phase == "Failed" {
		grace = 0
	}
	return &grace
}

package tainteviction

import (
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/controller-manager/internal/nodefit"
	"github.com/keelson/keelson/controller-manager/internal/nodestate"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

const (
	scheduled   = "PodScheduled"
	reasonTaint = "DeletionByTaintManager"
	message     = "Taint manager: deleting due to NoExecute taint"
)

// verdict is whether and when a pod has to go.
type verdict struct {
	evict bool
	// at is when; in the past for at once.
	at time.Time
}

// judge decides about a pod on a node with the given taints.
func judge(pod *corev1.Pod, taints []*corev1.Taint) verdict {
	var v verdict
	bound := boundAt(pod)
	for _, taint := range taints {
		if taint.GetEffect() != nodestate.NoExecute {
			continue
		}
		t := nodefit.Toleration(pod.GetSpec().GetTolerations(), taint)
		if t != nil && t.TolerationSeconds == nil {
			continue
		}
		from := apitime.Go(taint.GetTimeAdded())
		if bound.After(from) {
			from = bound
		}
		at := from
		if t != nil {
			at = from.Add(time.Duration(max(t.GetTolerationSeconds(), 0)) * time.Second)
		}
		if !v.evict || at.Before(v.at) {
			v = verdict{evict: true, at: at}
		}
	}
	return v
}

// boundAt is when the pod came to its node.
func boundAt(pod *corev1.Pod) time.Time {
	if t := apitime.Go(podstate.Condition(pod, scheduled).GetLastTransitionTime()); !t.IsZero() {
		return t
	}
	return apitime.Go(pod.GetMetadata().GetCreationTimestamp())
}

// Package podstate answers the questions that several controllers ask about a pod: is it active, ready, available. It
// is pure; callers bring the time.
package podstate

import (
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
)

// Phases and conditions of a pod.
const (
	Pending   = "Pending"
	Running   = "Running"
	Succeeded = "Succeeded"
	Failed    = "Failed"

	ConditionReady            = "Ready"
	ConditionDisruptionTarget = "DisruptionTarget"

	True    = "True"
	False   = "False"
	Unknown = "Unknown"
)

// Condition returns the pod's condition of a type, nil where it has none.
func Condition(pod *corev1.Pod, kind string) *corev1.PodCondition {
	for _, c := range pod.GetStatus().GetConditions() {
		if c.GetType() == kind {
			return c
		}
	}
	return nil
}

// Terminal reports whether the pod has finished for good.
func Terminal(pod *corev1.Pod) bool {
	phase := pod.GetStatus().GetPhase()
	return phase == Succeeded || phase == Failed
}

// Terminating reports whether the pod is being deleted but has not finished.
func Terminating(pod *corev1.Pod) bool {
	return pod.GetMetadata().GetDeletionTimestamp() != nil && !Terminal(pod)
}

// Active reports whether the pod counts as a replica: neither finished nor being deleted.
func Active(pod *corev1.Pod) bool {
	return !Terminal(pod) && pod.GetMetadata().GetDeletionTimestamp() == nil
}

// Ready reports whether the pod's Ready condition is True.
func Ready(pod *corev1.Pod) bool { return Condition(pod, ConditionReady).GetStatus() == True }

// Available reports whether the pod has been ready for at least minReady at the time now. Where it has not, but will be
// if nothing changes, wait says after which time to look again; otherwise wait is 0.
func Available(pod *corev1.Pod, minReady time.Duration, now time.Time) (available bool, wait time.Duration) {
	c := Condition(pod, ConditionReady)
	if c.GetStatus() != True {
		return false, 0
	}
	if minReady == 0 {
		return true, 0
	}
	since := apitime.Go(c.GetLastTransitionTime())
	if since.IsZero() {
		return false, 0
	}
	if left := since.Add(minReady).Sub(now); left > 0 {
		return false, left
	}
	return true, 0
}

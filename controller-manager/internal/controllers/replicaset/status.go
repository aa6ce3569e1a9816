package replicaset

import (
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/podset"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// conditionReplicaFailure is True while pods cannot be created or deleted.
const conditionReplicaFailure = "ReplicaFailure"

// status computes the set's status from the pods that it owns. next is how long until a ready pod becomes available;
// 0 where no pod is on its way.
func status(set *appsv1.ReplicaSet, owned []*corev1.Pod, failed *podset.Failure, now time.Time) (out *appsv1.ReplicaSetStatus, next time.Duration) {
	old := set.GetStatus()
	out = &appsv1.ReplicaSetStatus{
		ObservedGeneration: set.GetMetadata().GetGeneration(),
		Conditions:         conditions(old.GetConditions(), failed, now),
	}
	template := selector.FromMap(set.GetSpec().GetTemplate().GetMetadata().GetLabels())
	minReady := time.Duration(set.GetSpec().GetMinReadySeconds()) * time.Second
	var terminating int32
	for _, pod := range owned {
		if !podstate.Active(pod) {
			terminating++
			continue
		}
		out.Replicas++
		if template.Matches(pod.GetMetadata().GetLabels()) {
			out.FullyLabeledReplicas++
		}
		if !podstate.Ready(pod) {
			continue
		}
		out.ReadyReplicas++
		available, wait := podstate.Available(pod, minReady, now)
		if available {
			out.AvailableReplicas++
		} else if wait > 0 && (next == 0 || wait < next) {
			next = wait
		}
	}
	out.TerminatingReplicas = proto.Int32(terminating)
	return out, next
}

// conditions keeps an unchanged ReplicaFailure as it is, so that a status without news is not written.
func conditions(old []*appsv1.ReplicaSetCondition, failed *podset.Failure, now time.Time) []*appsv1.ReplicaSetCondition {
	out := make([]*appsv1.ReplicaSetCondition, 0, len(old)+1)
	var current *appsv1.ReplicaSetCondition
	for _, c := range old {
		if c.GetType() == conditionReplicaFailure {
			current = c
			continue
		}
		out = append(out, c)
	}
	switch {
	case failed == nil:
	case current != nil && current.GetReason() == failed.Reason:
		out = append(out, current)
	default:
		out = append(out, &appsv1.ReplicaSetCondition{
			Type:               conditionReplicaFailure,
			Status:             podstate.True,
			Reason:             failed.Reason,
			Message:            failed.Message,
			LastTransitionTime: apitime.Of(now),
		})
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

package replicaset

import (
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

	"github.com/keelson/keelson/controller-manager/internal/controller"
)

// ReplicationName is the name of the controller of ReplicationControllers.
const ReplicationName = "replicationcontroller"

// NewReplication makes the controller of ReplicationControllers, the ReplicaSets of old: only the selector is simpler.
func NewReplication(env *controller.Env) *Controller[*corev1.ReplicationController] {
	return newController(env, ReplicationName, "replication-controller", like[*corev1.ReplicationController]{
		set: asSet, withStatus: withReplicationStatus,
	})
}

func asSet(rc *corev1.ReplicationController) *appsv1.ReplicaSet {
	old := rc.GetStatus()
	out := &appsv1.ReplicaSet{
		Metadata: rc.GetMetadata(),
		Spec: &appsv1.ReplicaSetSpec{
			Replicas:        rc.GetSpec().Replicas,
			MinReadySeconds: rc.GetSpec().GetMinReadySeconds(),
			Selector:        &metav1.LabelSelector{MatchLabels: rc.GetSpec().GetSelector()},
			Template:        rc.GetSpec().GetTemplate(),
		},
		Status: &appsv1.ReplicaSetStatus{
			Replicas: old.GetReplicas(), FullyLabeledReplicas: old.GetFullyLabeledReplicas(), ReadyReplicas: old.GetReadyReplicas(),
			AvailableReplicas: old.GetAvailableReplicas(), ObservedGeneration: old.GetObservedGeneration(),
		},
	}
	for _, c := range old.GetConditions() {
		out.Status.Conditions = append(out.Status.Conditions, &appsv1.ReplicaSetCondition{
			Type: c.GetType(), Status: c.GetStatus(), Reason: c.GetReason(), Message: c.GetMessage(), LastTransitionTime: c.GetLastTransitionTime(),
		})
	}
	return out
}

func withReplicationStatus(rc *corev1.ReplicationController, s *appsv1.ReplicaSetStatus) *corev1.ReplicationController {
	status := &corev1.ReplicationControllerStatus{
		Replicas: s.GetReplicas(), FullyLabeledReplicas: s.GetFullyLabeledReplicas(), ReadyReplicas: s.GetReadyReplicas(),
		AvailableReplicas: s.GetAvailableReplicas(), ObservedGeneration: s.GetObservedGeneration(),
	}
	for _, c := range s.GetConditions() {
		status.Conditions = append(status.Conditions, &corev1.ReplicationControllerCondition{
			Type: c.GetType(), Status: c.GetStatus(), Reason: c.GetReason(), Message: c.GetMessage(), LastTransitionTime: c.GetLastTransitionTime(),
		})
	}
	return &corev1.ReplicationController{Metadata: rc.GetMetadata(), Spec: rc.GetSpec(), Status: status}
}

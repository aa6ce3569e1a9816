package statefulset

import (
	"slices"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

const conditionProgressing = "Progressing"

// status counts the pods of a set.
func status(s state, collisions int32, d decision) *appsv1.StatefulSetStatus {
	out := &appsv1.StatefulSetStatus{
		ObservedGeneration: s.set.GetMetadata().GetGeneration(), CurrentRevision: s.current.Name(), UpdateRevision: s.update.Name(),
		CollisionCount: proto.Int32(collisions), Conditions: slices.Clone(s.set.GetStatus().GetConditions()),
	}
	minReady := time.Duration(s.set.GetSpec().GetMinReadySeconds()) * time.Second
	for _, pod := range s.pods {
		out.Replicas++
		if pod.GetStatus().GetPhase() == podstate.Running && podstate.Ready(pod) {
			out.ReadyReplicas++
			if ok, _ := podstate.Available(pod, minReady, s.now); ok {
				out.AvailableReplicas++
			}
		}
		if deleting(pod) {
			continue
		}
		if revisionOf(pod) == s.current.Name() {
			out.CurrentReplicas++
		}
		if revisionOf(pod) == s.update.Name() {
			out.UpdatedReplicas++
		}
	}
	if d.recreating != "" {
		setProgressing(out, podstate.True, "RecreateInProgress", d.recreating, s.now)
	}
	if n := int32(replicasOf(s.set)); out.UpdatedReplicas == n && out.ReadyReplicas == n && out.Replicas == n {
		out.CurrentReplicas, out.CurrentRevision = out.UpdatedReplicas, out.UpdateRevision
		if s.set.GetSpec().GetUpdateStrategy().GetType() == recreate && hasProgressing(out) {
			setProgressing(out, podstate.False, "RecreateCompleted", "All pods recreated successfully", s.now)
		}
	}
	return out
}

func hasProgressing(s *appsv1.StatefulSetStatus) bool {
	return slices.ContainsFunc(s.GetConditions(), func(c *appsv1.StatefulSetCondition) bool { return c.GetType() == conditionProgressing })
}

func setProgressing(s *appsv1.StatefulSetStatus, value, reason, message string, now time.Time) {
	next := &appsv1.StatefulSetCondition{Type: conditionProgressing, Status: value, Reason: reason, Message: message, LastTransitionTime: apitime.Of(now)}
	for i, c := range s.GetConditions() {
		if c.GetType() != conditionProgressing {
			continue
		}
		if c.GetStatus() == value {
			next.LastTransitionTime = c.GetLastTransitionTime()
		}
		s.Conditions[i] = next
		return
	}
	s.Conditions = append(s.Conditions, next)
}

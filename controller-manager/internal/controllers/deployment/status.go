package deployment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"
)

// hasDeadline reports whether a rollout that makes no progress is ever called late.
func (r *rollout) hasDeadline() bool {
	p := r.d.GetSpec().ProgressDeadlineSeconds
	return p != nil && *p != math.MaxInt32
}

func (r *rollout) deadline() time.Duration {
	return time.Duration(r.d.GetSpec().GetProgressDeadlineSeconds()) * time.Second
}

// status computes the counts and the Available condition.
func (r *rollout) status() *appsv1.DeploymentStatus {
	s := &appsv1.DeploymentStatus{ObservedGeneration: r.d.GetMetadata().GetGeneration()}
	if old := r.d.GetStatus(); old != nil {
		s.CollisionCount = old.CollisionCount
	}
	var terminating int32
	for _, m := range r.all {
		have := m.rs.GetStatus()
		s.Replicas += have.GetReplicas()
		s.ReadyReplicas += have.GetReadyReplicas()
		s.AvailableReplicas += have.GetAvailableReplicas()
		terminating += have.GetTerminatingReplicas()
	}
	s.TerminatingReplicas = proto.Int32(terminating)
	s.UnavailableReplicas = max(total(r.all)-s.GetAvailableReplicas(), 0)
	if r.fresh != nil {
		s.UpdatedReplicas = r.fresh.rs.GetStatus().GetReplicas()
	}
	if s.GetAvailableReplicas() >= minAvailable(r.d) {
		r.conds = r.conds.set(newCondition(r.now, conditionAvailable, statusTrue, reasonAvailable, "Deployment has minimum availability."))
	} else {
		r.conds = r.conds.set(newCondition(r.now, conditionAvailable, statusFalse, reasonUnavailable, "Deployment does not have minimum availability."))
	}
	s.Conditions = r.conds
	return s
}

// rolloutStatus is status plus the conditions that tell how the rollout is doing.
func (r *rollout) rolloutStatus() *appsv1.DeploymentStatus {
	s := r.status()
	if !r.hasDeadline() {
		r.conds = r.conds.without(conditionProgressing)
	} else if !r.known(s) {
		r.judge(s)
	}
	r.copyFailure()
	s.Conditions = r.conds
	r.out.again = r.untilDeadline()
	return s
}

// known reports whether the rollout was already found complete and still is.
func (r *rollout) known(s *appsv1.DeploymentStatus) bool {
	return s.GetReplicas() == s.GetUpdatedReplicas() && r.conds.get(conditionProgressing).GetReason() == reasonComplete
}

func (r *rollout) judge(s *appsv1.DeploymentStatus) {
	subject := fmt.Sprintf("Deployment %q", r.d.GetMetadata().GetName())
	if r.fresh != nil {
		subject = fmt.Sprintf("ReplicaSet %q", r.fresh.rs.GetMetadata().GetName())
	}
	switch {
	case complete(r.d, s):
		r.conds = r.conds.set(progressing(r.now, statusTrue, reasonComplete, subject+" has successfully progressed."))
	case advanced(r.d.GetStatus(), s):
		r.conds = r.conds.replace(progressing(r.now, statusTrue, reasonUpdated, subject+" is progressing."))
	case r.late():
		r.conds = r.conds.set(progressing(r.now, statusFalse, reasonDeadlineExceeded, subject+" has timed out progressing."))
	}
}

// advanced reports whether the rollout came closer to its end between two statuses.
func advanced(before, after *appsv1.DeploymentStatus) bool {
	return after.GetUpdatedReplicas() > before.GetUpdatedReplicas() ||
		after.GetReplicas()-after.GetUpdatedReplicas() < before.GetReplicas()-before.GetUpdatedReplicas() ||
		after.GetReadyReplicas() > before.GetReadyReplicas() ||
		after.GetAvailableReplicas() > before.GetAvailableReplicas()
}

// late reports whether the last sign of progress is older than the deadline.
func (r *rollout) late() bool {
	c := r.conds.get(conditionProgressing)
	switch {
	case c == nil || c.GetReason() == reasonComplete:
		return false
	case c.GetReason() == reasonDeadlineExceeded:
		return true
	}
	return r.now.After(apitime.Go(c.GetLastUpdateTime()).Add(r.deadline()))
}

// untilDeadline is how long until the rollout would be late; nothing else wakes the controller when nothing happens.
func (r *rollout) untilDeadline() time.Duration {
	c := r.conds.get(conditionProgressing)
	if !r.hasDeadline() || c == nil || c.GetReason() == reasonComplete || c.GetReason() == reasonDeadlineExceeded {
		return 0
	}
	// API times have whole seconds, and the deadline must have passed.
	return max(apitime.Go(c.GetLastUpdateTime()).Add(r.deadline()).Sub(r.now), 0) + time.Second
}

// copyFailure shows a ReplicaSet's failure to create pods on the Deployment; the new ReplicaSet's counts most.
func (r *rollout) copyFailure() {
	var found *appsv1.ReplicaSetCondition
	for _, m := range r.all {
		for _, c := range m.rs.GetStatus().GetConditions() {
			if c.GetType() == conditionReplicaFailure && (found == nil || m == r.fresh) {
				found = c
			}
		}
	}
	if found == nil {
		r.conds = r.conds.without(conditionReplicaFailure)
		return
	}
	r.conds = r.conds.set(&appsv1.DeploymentCondition{
		Type: conditionReplicaFailure, Status: found.GetStatus(), Reason: found.GetReason(), Message: found.GetMessage(),
		LastTransitionTime: found.GetLastTransitionTime(), LastUpdateTime: found.GetLastTransitionTime(),
	})
}

// byRevision orders members by revision, then by age.
func byRevision(members []*member) []*member {
	return slices.SortedStableFunc(slices.Values(members), func(a, b *member) int {
		return cmp.Compare(revision(a.rs.GetMetadata()), revision(b.rs.GetMetadata()))
	})
}

package disruption

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/shares"
)

// patience is how long a pod that was evicted may take to be deleted.
const patience = 2 * time.Minute

// The condition of a budget and its reasons.
const (
	conditionAllowed   = "DisruptionAllowed"
	reasonSufficient   = "SufficientPods"
	reasonInsufficient = "InsufficientPods"
	reasonFailed       = "SyncFailed"
)

// demand is how many pods there should be, and how many of them healthy.
type demand struct {
	expected, healthy int
	// unmanaged are pods that nobody controls, so that nobody knows how many there should be.
	unmanaged []string
}

// demanded computes a budget's demand. scaleOf returns how many pods a controller should have and the UID of whoever says
// so: several ReplicaSets of one Deployment have one scale together.
func demanded(pdb *policyv1.PodDisruptionBudget, pods []*corev1.Pod, scaleOf func(namespace string, ref *metav1.OwnerReference) (uid string, scale int, err error)) (demand, error) {
	spec := pdb.GetSpec()
	if spec.GetMaxUnavailable() == nil && !shares.IsPercent(spec.GetMinAvailable()) {
		if spec.GetMinAvailable() == nil {
			return demand{}, nil
		}
		return demand{expected: len(pods), healthy: int(spec.GetMinAvailable().GetIntVal())}, nil
	}
	var d demand
	scales, seen := map[string]int{}, map[string]bool{}
	for _, pod := range pods {
		ref := owner.ControllerOf(pod.GetMetadata())
		if ref == nil {
			d.unmanaged = append(d.unmanaged, pod.GetMetadata().GetName())
			continue
		}
		if seen[ref.GetUid()] {
			continue
		}
		seen[ref.GetUid()] = true
		uid, scale, err := scaleOf(pod.GetMetadata().GetNamespace(), ref)
		if err != nil {
			return d, err
		}
		if uid == "" {
			return d, fmt.Errorf("found no controllers for pod %q", pod.GetMetadata().GetName())
		}
		scales[uid] = scale
	}
	for _, n := range scales {
		d.expected += n
	}
	var err error
	if most := spec.GetMaxUnavailable(); most != nil {
		n, e := shares.Of(most, d.expected, true)
		d.healthy, err = max(d.expected-n, 0), e
	} else {
		d.healthy, err = shares.Of(spec.GetMinAvailable(), d.expected, true)
	}
	return d, err
}

// evicted returns the pods that were evicted and are about to go, and those whose deletion has not come in time. next is
// how long until one of them is late.
func evicted(pdb *policyv1.PodDisruptionBudget, pods []*corev1.Pod, now time.Time) (going map[string]*metav1.Time, late []*corev1.Pod, next time.Duration) {
	for _, pod := range pods {
		m := pod.GetMetadata()
		at, ok := pdb.GetStatus().GetDisruptedPods()[m.GetName()]
		if !ok || m.GetDeletionTimestamp() != nil {
			continue
		}
		left := apitime.Go(at).Add(patience).Sub(now)
		if left < 0 {
			late = append(late, pod)
			continue
		}
		if going == nil {
			going = map[string]*metav1.Time{}
		}
		going[m.GetName()] = at
		if next == 0 || left < next {
			next = left
		}
	}
	return going, late, next
}

// status makes the status of a budget.
func status(pdb *policyv1.PodDisruptionBudget, pods []*corev1.Pod, d demand, going map[string]*metav1.Time, now time.Time) *policyv1.PodDisruptionBudgetStatus {
	s := &policyv1.PodDisruptionBudgetStatus{
		ObservedGeneration: pdb.GetMetadata().GetGeneration(), ExpectedPods: int32(d.expected), DesiredHealthy: int32(d.healthy), DisruptedPods: going,
	}
	for _, pod := range pods {
		if pod.GetMetadata().GetDeletionTimestamp() == nil && podstate.Ready(pod) && going[pod.GetMetadata().GetName()] == nil {
			s.CurrentHealthy++
		}
	}
	condition := &metav1.Condition{Type: conditionAllowed, Status: podstate.False, Reason: reasonInsufficient, ObservedGeneration: pdb.GetMetadata().GetGeneration()}
	if allowed := s.CurrentHealthy - s.DesiredHealthy; d.expected > 0 && allowed > 0 {
		s.DisruptionsAllowed = allowed
		condition.Status, condition.Reason = podstate.True, reasonSufficient
	}
	s.Conditions = with(pdb.GetStatus().GetConditions(), condition, now)
	return s
}

// unknown is the status of a budget that cannot be computed: nothing may be evicted.
func unknown(pdb *policyv1.PodDisruptionBudget, why error, now time.Time) *policyv1.PodDisruptionBudgetStatus {
	old := pdb.GetStatus()
	return &policyv1.PodDisruptionBudgetStatus{
		ObservedGeneration: old.GetObservedGeneration(), DisruptedPods: maps.Clone(old.GetDisruptedPods()),
		CurrentHealthy: old.GetCurrentHealthy(), DesiredHealthy: old.GetDesiredHealthy(), ExpectedPods: old.GetExpectedPods(),
		Conditions: with(old.GetConditions(), &metav1.Condition{
			Type: conditionAllowed, Status: podstate.False, Reason: reasonFailed, Message: why.Error(), ObservedGeneration: old.GetObservedGeneration(),
		}, now),
	}
}

// with puts a condition in place; the time of transition is kept while the status is the same.
func with(old []*metav1.Condition, c *metav1.Condition, now time.Time) []*metav1.Condition {
	out := slices.Clone(old)
	c.LastTransitionTime = apitime.Of(now)
	for i, have := range out {
		if have.GetType() == c.GetType() {
			if have.GetStatus() == c.GetStatus() {
				c.LastTransitionTime = have.GetLastTransitionTime()
			}
			out[i] = c
			return out
		}
	}
	return append(out, c)
}

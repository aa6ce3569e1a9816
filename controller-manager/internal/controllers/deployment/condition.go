package deployment

import (
	"slices"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
)

// conditions is a Deployment's list of conditions under change. Entries are shared with the cache and never modified.
type conditions []*appsv1.DeploymentCondition

func (c conditions) get(kind string) *appsv1.DeploymentCondition {
	for _, have := range c {
		if have.GetType() == kind {
			return have
		}
	}
	return nil
}

func (c conditions) without(kind string) conditions {
	return slices.DeleteFunc(slices.Clone(c), func(have *appsv1.DeploymentCondition) bool { return have.GetType() == kind })
}

// set puts a condition in place unless one of the same status and reason is there. The time of transition is kept while
// the status is the same.
func (c conditions) set(n *appsv1.DeploymentCondition) conditions {
	current := c.get(n.GetType())
	if current.GetStatus() == n.GetStatus() && current.GetReason() == n.GetReason() && current != nil {
		return c
	}
	return c.replace(n)
}

// replace is set that also renews an equal condition's time of update.
func (c conditions) replace(n *appsv1.DeploymentCondition) conditions {
	if current := c.get(n.GetType()); current != nil && current.GetStatus() == n.GetStatus() {
		n.LastTransitionTime = current.GetLastTransitionTime()
	}
	return append(c.without(n.GetType()), n)
}

func newCondition(now time.Time, kind, status, reason, message string) *appsv1.DeploymentCondition {
	return &appsv1.DeploymentCondition{
		Type:               kind,
		Status:             status,
		Reason:             reason,
		Message:            message,
		LastUpdateTime:     apitime.Of(now),
		LastTransitionTime: apitime.Of(now),
	}
}

func progressing(now time.Time, status, reason, message string) *appsv1.DeploymentCondition {
	return newCondition(now, conditionProgressing, status, reason, message)
}

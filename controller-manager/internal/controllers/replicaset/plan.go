package replicaset

import (
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/controller-manager/internal/podset"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/ranking"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// state is what a decision about one ReplicaSet depends on.
type state struct {
	set *appsv1.ReplicaSet
	// pods are the pods that the set controls and the orphans of its namespace.
	pods []*corev1.Pod
	// related counts, for each node, the active pods of all sets of the same owner.
	related map[string]int
	now     time.Time
}

// decision is what to write.
type decision struct {
	// claim.Owned are the pods that count for the status, terminating ones included.
	claim  podset.Claim
	remove []*corev1.Pod
	create int
}

// plan decides about pods. Claims come first: while there is something to adopt or to release the number of pods is not
// touched, because the count is about to change.
func plan(s state, sel selector.Selector) decision {
	// Finished pods are nobody's replicas; leaving them alone keeps their logs.
	d := decision{claim: podset.Sort(s.set.GetMetadata(), s.pods, sel, func(p *corev1.Pod) bool { return !podstate.Terminal(p) })}
	if d.claim.Changes() || s.set.GetMetadata().GetDeletionTimestamp() != nil {
		return d
	}
	var active []*corev1.Pod
	for _, pod := range d.claim.Owned {
		if podstate.Active(pod) {
			active = append(active, pod)
		}
	}
	switch surplus := len(active) - int(replicas(s.set)); {
	case surplus < 0:
		d.create = min(-surplus, podset.Burst)
	case surplus > 0:
		d.remove = ranking.Rank(active, s.related, s.now)[:min(surplus, podset.Burst)]
	}
	return d
}

// replicas is the desired number; the API defaults it to 1.
func replicas(set *appsv1.ReplicaSet) int32 {
	if set.GetSpec().Replicas == nil {
		return 1
	}
	return set.GetSpec().GetReplicas()
}

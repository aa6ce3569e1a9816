// Package ranking orders pods by how little is lost when they go.
package ranking

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

// deletionCostAnnotation lets users say which pods they would rather lose; lower goes first.
const deletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost"

// victim is a pod with everything that its place in the order of deletion depends on, computed once.
type victim struct {
	pod       *corev1.Pod
	assigned  bool
	phase     int
	ready     bool
	cost      int64
	crowd     int
	readyFor  int
	restarts  int32
	createdAt int
}

// Rank orders pods by how little is lost when they go: unassigned before assigned, pending before running, not ready
// before ready, cheap before dear, crowded nodes before sparse ones, young before old. Ages are compared by their
// logarithm, so that pods of about the same age are deleted at random instead of always on the newest nodes. related
// counts, for each node, the active pods of all ReplicaSets of the same owner.
func Rank(pods []*corev1.Pod, related map[string]int, now time.Time) []*corev1.Pod {
	victims := make([]victim, 0, len(pods))
	for _, pod := range pods {
		victims = append(victims, newVictim(pod, related, now))
	}
	slices.SortStableFunc(victims, compare)
	out := make([]*corev1.Pod, len(victims))
	for i := range victims {
		out[i] = victims[i].pod
	}
	return out
}

func newVictim(pod *corev1.Pod, related map[string]int, now time.Time) victim {
	v := victim{
		pod:       pod,
		assigned:  pod.GetSpec().GetNodeName() != "",
		phase:     phaseOrder(pod.GetStatus().GetPhase()),
		ready:     podstate.Ready(pod),
		cost:      deletionCost(pod),
		crowd:     related[pod.GetSpec().GetNodeName()],
		createdAt: logAge(apitime.Go(pod.GetMetadata().GetCreationTimestamp()), now),
	}
	if v.ready {
		v.readyFor = logAge(apitime.Go(podstate.Condition(pod, podstate.ConditionReady).GetLastTransitionTime()), now)
	}
	for _, c := range pod.GetStatus().GetContainerStatuses() {
		v.restarts = max(v.restarts, c.GetRestartCount())
	}
	return v
}

func compare(a, b victim) int {
	switch {
	case a.assigned != b.assigned:
		return less(!a.assigned)
	case a.phase != b.phase:
		return less(a.phase < b.phase)
	case a.ready != b.ready:
		return less(!a.ready)
	case a.cost != b.cost:
		return less(a.cost < b.cost)
	case a.crowd != b.crowd:
		return less(a.crowd > b.crowd)
	case a.readyFor != b.readyFor:
		return less(a.readyFor < b.readyFor)
	case a.restarts != b.restarts:
		return less(a.restarts > b.restarts)
	case a.createdAt != b.createdAt:
		return less(a.createdAt < b.createdAt)
	default:
		// Names of one ReplicaSet's pods end in random letters; UIDs are random throughout.
		return less(a.pod.GetMetadata().GetUid() < b.pod.GetMetadata().GetUid())
	}
}

func less(yes bool) int {
	if yes {
		return -1
	}
	return 1
}

func phaseOrder(phase string) int {
	switch phase {
	case podstate.Pending, "":
		return 0
	case podstate.Unknown:
		return 1
	default:
		return 2
	}
}

// logAge is the binary logarithm of an age in seconds. A time that was never set counts as the youngest.
func logAge(t, now time.Time) int {
	if t.IsZero() {
		return -1
	}
	return bits.Len64(uint64(max(now.Sub(t), 0) / time.Second))
}

// deletionCost reads the annotation; a value that is no 32-bit number counts as unset, as the API refuses it.
func deletionCost(pod *corev1.Pod) int64 {
	value, ok := pod.GetMetadata().GetAnnotations()[deletionCostAnnotation]
	if !ok {
		return 0
	}
	cost, err := strconv.ParseInt(value, 10, 64)
	if err != nil || cost < math.MinInt32 || cost > math.MaxInt32 {
		return 0
	}
	return cost
}

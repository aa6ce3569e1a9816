package statefulset

import (
	"cmp"
	"slices"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/revisions"
	"github.com/keelson/keelson/controller-manager/internal/shares"
)

const (
	parallel = "Parallel"
	rolling  = "RollingUpdate"
	onDelete = "OnDelete"
	recreate = "Recreate"
)

// state is what a decision about one set depends on.
type state struct {
	set *appsv1.StatefulSet
	// current and update are the revisions that pods come from and go to; the same where no update runs.
	current, update *revisions.Revision
	pods            []*corev1.Pod
	now             time.Time
}

// decision is what to do now.
type decision struct {
	create []*corev1.Pod
	remove []*corev1.Pod
	// adjust are pods that lack the labels of their identity.
	adjust []*corev1.Pod
	// claims are pods that may wait for claims that somebody deleted.
	claims []*corev1.Pod
	// scaled are those of remove that are beyond the number of replicas: what is theirs may go with them.
	scaled []*corev1.Pod
	// recreating is set while all pods of an old revision have to go first.
	recreating string
	// again is how long until a ready pod counts as available.
	again time.Duration
}

// planner walks through the pods of a set.
type planner struct {
	state
	out     decision
	ordered bool
	// replicas are the pods by ordinal from the first; nil where there is none. condemned are those beyond, the highest
	// first.
	replicas, condemned []*corev1.Pod
	firstUnavailable    *corev1.Pod
}

func startOf(set *appsv1.StatefulSet) int { return int(set.GetSpec().GetOrdinals().GetStart()) }

func replicasOf(set *appsv1.StatefulSet) int {
	if n := set.GetSpec().Replicas; n != nil {
		return int(*n)
	}
	return 1
}

// plan decides about pods; of a set that is being deleted they are left to the garbage collector.
func plan(s state) decision {
	p := &planner{state: s, ordered: s.set.GetSpec().GetPodManagementPolicy() != parallel}
	p.sort()
	if s.set.GetMetadata().GetDeletionTimestamp() != nil {
		return p.out
	}
	if s.set.GetSpec().GetUpdateStrategy().GetType() == recreate && !p.clearOld() {
		return p.out
	}
	if !p.fill() || !p.shrink() {
		return p.out
	}
	switch s.set.GetSpec().GetUpdateStrategy().GetType() {
	case onDelete, recreate:
	default:
		p.roll()
	}
	return p.out
}

func (p *planner) sort() {
	start, n := startOf(p.set), replicasOf(p.set)
	p.replicas = make([]*corev1.Pod, n)
	for _, pod := range p.pods {
		_, ordinal, _ := ordinalOf(pod.GetMetadata().GetName())
		if i := ordinal - start; i >= 0 && i < n {
			p.replicas[i] = pod
		} else {
			p.condemned = append(p.condemned, pod)
		}
	}
	slices.SortFunc(p.condemned, func(a, b *corev1.Pod) int {
		_, x, _ := ordinalOf(a.GetMetadata().GetName())
		_, y, _ := ordinalOf(b.GetMetadata().GetName())
		return cmp.Compare(y, x)
	})
	for _, pod := range p.replicas {
		if p.firstUnavailable == nil && pod != nil && !p.available(pod) {
			p.firstUnavailable = pod
		}
	}
	for _, pod := range slices.Backward(p.condemned) {
		if p.firstUnavailable == nil && !p.available(pod) {
			p.firstUnavailable = pod
		}
	}
}

// available reports whether a pod runs, has been ready for long enough, and stays.
func (p *planner) available(pod *corev1.Pod) bool {
	if pod == nil || pod.GetMetadata().GetDeletionTimestamp() != nil || pod.GetStatus().GetPhase() != podstate.Running {
		return false
	}
	ok, wait := podstate.Available(pod, time.Duration(p.set.GetSpec().GetMinReadySeconds())*time.Second, p.now)
	if wait > 0 && (p.out.again == 0 || wait < p.out.again) {
		p.out.again = wait
	}
	return ok
}

func (p *planner) isOld(pod *corev1.Pod) bool { return revisionOf(pod) != p.update.Name() }

func revisionOf(pod *corev1.Pod) string { return pod.GetMetadata().GetLabels()[labelRevision] }

func deleting(pod *corev1.Pod) bool { return pod.GetMetadata().GetDeletionTimestamp() != nil }

// fill creates what is missing and replaces what has ended. It returns whether the pass may go on.
func (p *planner) fill() bool {
	for i, pod := range p.replicas {
		switch {
		case pod == nil:
			p.out.create = append(p.out.create, p.fresh(startOf(p.set)+i))
			if p.ordered {
				return false
			}
			continue
		case podstate.Terminal(pod):
			if !deleting(pod) {
				p.out.remove = append(p.out.remove, pod)
			}
			if p.ordered {
				return false
			}
			continue
		}
		if phase := pod.GetStatus().GetPhase(); phase == podstate.Pending || phase == "" {
			p.out.claims = append(p.out.claims, pod)
		}
		if p.ordered && !p.available(pod) {
			return false
		}
		_, ordinal, _ := ordinalOf(pod.GetMetadata().GetName())
		if !deleting(pod) && !identified(pod.GetMetadata(), ordinal) {
			p.out.adjust = append(p.out.adjust, pod)
		}
	}
	return true
}

// fresh makes the pod of an ordinal. Below the partition of a rolling update it is one of the revision that is left.
func (p *planner) fresh(ordinal int) *corev1.Pod {
	strategy := p.set.GetSpec().GetUpdateStrategy()
	keep := 0
	if t := strategy.GetType(); t == rolling || t == "" {
		if update := strategy.GetRollingUpdate(); update != nil {
			keep = int(update.GetPartition())
		} else {
			keep = int(p.set.GetStatus().GetCurrentReplicas())
		}
	}
	if ordinal < startOf(p.set)+keep {
		return newPod(p.set, p.current, ordinal)
	}
	return newPod(p.set, p.update, ordinal)
}

// shrink deletes pods beyond the number of replicas, the highest first. It returns whether the pass may go on.
func (p *planner) shrink() bool {
	for _, pod := range p.condemned {
		if deleting(pod) {
			if p.ordered {
				return false
			}
			continue
		}
		if p.ordered && !p.available(pod) && pod != p.firstUnavailable {
			// Another one is not well; nothing is taken away until it is.
			return false
		}
		p.out.remove = append(p.out.remove, pod)
		p.out.scaled = append(p.out.scaled, pod)
		if p.ordered {
			return false
		}
	}
	return true
}

// clearOld deletes all pods of other revisions; it returns whether there are none left.
func (p *planner) clearOld() bool {
	clear := true
	for _, pod := range p.pods {
		if !p.isOld(pod) {
			continue
		}
		clear = false
		if !deleting(pod) {
			p.out.remove = append(p.out.remove, pod)
		}
	}
	if !clear {
		p.out.recreating = "Deleting old revision pods"
	} else if p.current.Name() != p.update.Name() {
		p.out.recreating = "Waiting for new-revision pods to be created"
	}
	return clear
}

// roll deletes pods of the old revision, so that they come back in the new one: from the highest ordinal down to the
// partition, as many as may be unavailable.
func (p *planner) roll() {
	update := p.set.GetSpec().GetUpdateStrategy().GetRollingUpdate()
	lowest, most := int(update.GetPartition()), 1
	if v := update.GetMaxUnavailable(); v != nil {
		// Validation has refused what is no share.
		n, _ := shares.Of(v, len(p.replicas), false)
		most = max(n, 1)
	}
	going := func(pod *corev1.Pod) bool { return pod == nil || deleting(pod) || slices.Contains(p.out.remove, pod) }
	unavailable := 0
	for _, pod := range p.replicas {
		if !p.available(pod) || going(pod) {
			unavailable++
		}
	}
	for i := len(p.replicas) - 1; i >= lowest; i-- {
		pod := p.replicas[i]
		if going(pod) || !p.isOld(pod) {
			continue
		}
		if p.available(pod) {
			if unavailable >= most {
				continue
			}
			unavailable++
		} else if p.ordered {
			continue
		}
		// One that is unavailable anyway costs nothing.
		p.out.remove = append(p.out.remove, pod)
	}
}

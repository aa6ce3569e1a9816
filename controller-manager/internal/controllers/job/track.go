package job

import (
	"cmp"
	"slices"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

// mostUncounted bounds the UIDs in a status, to about 20 kB.
const mostUncounted = 500

// book settles the counters for pods without the finalizer, then notes ended pods that still have it: their UIDs, or
// their indexes. It returns the pods whose finalizers may go once the status is written, and whether that is all.
func (t *tally) book() (ended []*corev1.Pod, all bool) {
	uncounted := t.status.GetUncountedTerminatedPods()
	t.settle(func(uid string) bool {
		return slices.ContainsFunc(t.pods, func(p *corev1.Pod) bool { return p.GetMetadata().GetUid() == uid && tracked(p) })
	})
	pods := slices.Clone(t.pods)
	if isIndexed(t.job) {
		slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
			i, _ := indexOf(a)
			j, _ := indexOf(b)
			return cmp.Compare(i, j)
		})
	}
	var done []int
	for _, pod := range pods {
		if !tracked(pod) || !t.mayEnd(pod) {
			continue
		}
		ended = append(ended, pod)
		uid := pod.GetMetadata().GetUid()
		i, _ := indexOf(pod)
		switch {
		case pod.GetStatus().GetPhase() == podstate.Succeeded && !slices.Contains(uncounted.GetFailed(), uid):
			if isIndexed(t.job) {
				// The index says that it is counted.
				if t.valid(pod) && !t.before.has(i) {
					done = append(done, i)
				}
			} else if !slices.Contains(uncounted.GetSucceeded(), uid) {
				uncounted.Succeeded = append(uncounted.Succeeded, uid)
			}
		case isFailed(t.job, pod) || t.end.GetType() == failureTarget:
			// Whoever is ended together with the Job has failed.
			if !slices.Contains(uncounted.GetFailed(), uid) && t.valid(pod) && counts(t.job, pod) {
				uncounted.Failed = append(uncounted.Failed, uid)
			}
		}
		if len(done)+len(uncounted.GetSucceeded())+len(uncounted.GetFailed()) >= mostUncounted {
			t.bookIndexes(done)
			return ended, false
		}
	}
	t.bookIndexes(done)
	return ended, true
}

func (t *tally) bookIndexes(done []int) {
	if !isIndexed(t.job) {
		return
	}
	have := t.before.union(indexesOf(done))
	t.status.Succeeded = int32(have.len())
	t.status.CompletedIndexes = have.String()
	t.status.FailedIndexes = nil
	if perIndex(t.job) {
		broken := t.broken.String()
		t.status.FailedIndexes = &broken
	}
}

// mayEnd reports whether a pod's finalizer may go: it has ended for the Job, or the Job has.
func (t *tally) mayEnd(pod *corev1.Pod) bool {
	if t.job.GetMetadata().GetDeletionTimestamp() != nil || t.end != nil || pod.GetStatus().GetPhase() == podstate.Succeeded {
		return true
	}
	if !isFailed(t.job, pod) {
		return false
	}
	i, ok := indexOf(pod)
	return !ok || t.replaceable[i] != pod
}

// settle counts the pods whose finalizers are gone.
func (t *tally) settle(still func(uid string) bool) {
	uncounted := t.status.GetUncountedTerminatedPods()
	move := func(uids []string, counter *int32) []string {
		left := slices.DeleteFunc(uids, func(uid string) bool { return !still(uid) })
		*counter += int32(len(uids) - len(left))
		return left
	}
	uncounted.Succeeded = move(uncounted.GetSucceeded(), &t.status.Succeeded)
	uncounted.Failed = move(uncounted.GetFailed(), &t.status.Failed)
}

// finish sets the last condition where nothing is left to be counted or to end. It returns that condition, or nil.
func (t *tally) finish() *batchv1.JobCondition {
	uncounted := t.status.GetUncountedTerminatedPods()
	if t.end == nil || len(uncounted.GetSucceeded())+len(uncounted.GetFailed()) > 0 || t.running > 0 || t.terminating > 0 {
		return nil
	}
	kind := failed
	if t.end.GetType() == successCriteriaMet {
		kind = complete
		t.status.CompletionTime = apitime.Of(t.now)
	}
	last := condition(kind, statusTrue, t.end.GetReason(), t.end.GetMessage(), t.now)
	t.set(last)
	return last
}

package job

import (
	"slices"
	"strconv"
	"time"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

// tally is a Job with its pods counted. Its status is a copy that the pass changes and writes.
type tally struct {
	job    *batchv1.Job
	pods   []*corev1.Pod
	now    time.Time
	status *batchv1.JobStatus

	active []*corev1.Pod
	// counts of the status to be, while pods are created and deleted
	running, ready, terminating int
	// succeeded and failed include pods that ended but are not in the status' counters yet.
	succeeded, failed int

	// done and broken are the indexes that have succeeded and failed for good; before is done as the status has it.
	before, done, broken indexes
	// replaceable are the failed pods, by index, whose finalizer is kept until another pod of the index exists and has
	// taken over the count of failures.
	replaceable map[int]*corev1.Pod

	// end is why the Job has come to its end: SuccessCriteriaMet or FailureTarget; nil while it goes on.
	end *batchv1.JobCondition
}

func tracked(pod *corev1.Pod) bool {
	return slices.Contains(pod.GetMetadata().GetFinalizers(), finalizer)
}

// isFailed reports whether a pod counts as failed. One that is being deleted does, where it is replaced before it has
// ended: it may never get to report how it ended.
func isFailed(job *batchv1.Job, pod *corev1.Pod) bool {
	switch pod.GetStatus().GetPhase() {
	case podstate.Failed:
		return true
	case podstate.Succeeded:
		return false
	}
	return !waitsForEnd(job) && pod.GetMetadata().GetDeletionTimestamp() != nil
}

// indexOf is a pod's index; false where it has none.
func indexOf(pod *corev1.Pod) (int, bool) {
	n, err := strconv.ParseInt(pod.GetMetadata().GetAnnotations()[annotationIndex], 10, 32)
	return int(n), err == nil && n >= 0
}

// count makes the tally of a Job.
func count(job *batchv1.Job, pods []*corev1.Pod, now time.Time) *tally {
	t := &tally{job: job, pods: pods, now: now, status: proto.CloneOf(job.GetStatus())}
	if t.status == nil {
		t.status = &batchv1.JobStatus{}
	}
	if t.status.UncountedTerminatedPods == nil {
		t.status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	}
	uncounted := t.status.GetUncountedTerminatedPods()
	t.succeeded = int(t.status.GetSucceeded()) + len(uncounted.GetSucceeded())
	t.failed = int(t.status.GetFailed()) + len(uncounted.GetFailed())
	for _, pod := range pods {
		switch {
		case podstate.Active(pod):
			t.active = append(t.active, pod)
			if podstate.Ready(pod) {
				t.ready++
			}
		case podstate.Terminating(pod):
			t.terminating++
		}
		if !tracked(pod) || !t.valid(pod) {
			continue
		}
		uid := pod.GetMetadata().GetUid()
		switch {
		case pod.GetStatus().GetPhase() == podstate.Succeeded && !slices.Contains(uncounted.GetSucceeded(), uid):
			t.succeeded++
		case isFailed(job, pod) && !slices.Contains(uncounted.GetFailed(), uid) && counts(job, pod):
			t.failed++
		}
	}
	t.running = len(t.active)
	if isIndexed(job) {
		t.countIndexes()
	}
	return t
}

// valid reports whether a pod is one that the Job wants: for an indexed one, of an index in range.
func (t *tally) valid(pod *corev1.Pod) bool {
	if !isIndexed(t.job) {
		return true
	}
	i, ok := indexOf(pod)
	limit, _ := completions(t.job)
	return ok && i < limit
}

func (t *tally) countIndexes() {
	limit, _ := completions(t.job)
	t.before = parseIndexes(t.status.GetCompletedIndexes(), limit)
	var done, broken, running []int
	for _, pod := range t.pods {
		i, _ := indexOf(pod)
		if !t.valid(pod) {
			continue
		}
		if podstate.Active(pod) {
			running = append(running, i)
		}
		if !tracked(pod) {
			continue
		}
		if pod.GetStatus().GetPhase() == podstate.Succeeded {
			done = append(done, i)
		}
		if perIndex(t.job) && t.breaks(pod) {
			broken = append(broken, i)
		}
	}
	t.done = t.before.union(indexesOf(done))
	t.succeeded = t.done.len()
	if perIndex(t.job) {
		t.broken = parseIndexes(t.status.GetFailedIndexes(), limit).union(indexesOf(broken))
		t.findReplaceable(indexesOf(running))
	}
}

// breaks reports whether a pod's failure is its index' last.
func (t *tally) breaks(pod *corev1.Pod) bool {
	if !isFailed(t.job, pod) {
		return false
	}
	switch action, _ := meaning(t.job.GetSpec().GetPodFailurePolicy(), pod); action {
	case actionFailIndex:
		return true
	case actionIgnore:
		return false
	}
	return annotated(pod, annotationFailures) >= int(t.job.GetSpec().GetBackoffLimitPerIndex())
}

func (t *tally) findReplaceable(running indexes) {
	t.replaceable = map[int]*corev1.Pod{}
	for _, pod := range t.pods {
		i, _ := indexOf(pod)
		if !t.valid(pod) || !tracked(pod) || !isFailed(t.job, pod) || t.done.has(i) || t.broken.has(i) || running.has(i) {
			continue
		}
		have := t.replaceable[i]
		if have == nil || failuresBefore(have) <= failuresBefore(pod) && !endOf(pod).Before(endOf(have)) {
			t.replaceable[i] = pod
		}
	}
}

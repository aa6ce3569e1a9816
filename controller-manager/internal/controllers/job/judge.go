package job

import (
	"time"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

func condition(kind, status, reason, message string, now time.Time) *batchv1.JobCondition {
	return &batchv1.JobCondition{
		Type: kind, Status: status, Reason: reason, Message: message,
		LastProbeTime: apitime.Of(now), LastTransitionTime: apitime.Of(now),
	}
}

// set puts a condition in place; one that is False and was never there is left out. It returns whether that was news.
func (t *tally) set(c *batchv1.JobCondition) bool {
	for i, have := range t.status.GetConditions() {
		if have.GetType() != c.GetType() {
			continue
		}
		if have.GetStatus() == c.GetStatus() && have.GetReason() == c.GetReason() && have.GetMessage() == c.GetMessage() {
			return false
		}
		t.status.Conditions[i] = c
		return true
	}
	if c.GetStatus() == statusFalse {
		return false
	}
	t.status.Conditions = append(t.status.Conditions, c)
	return true
}

func (t *tally) fail(reason, message string) *batchv1.JobCondition {
	return condition(failureTarget, statusTrue, reason, message, t.now)
}

// judge finds out whether the Job has come to its end. What an earlier pass decided stays so; failures go before
// successes, as several may hold at once. wait is how long until the deadline, 0 where there is none.
func (t *tally) judge() (wait time.Duration) {
	for _, kind := range []string{successCriteriaMet, failureTarget} {
		if c := conditionOf(t.status, kind); c.GetStatus() == statusTrue {
			t.end = c
			return 0
		}
	}
	if t.end = t.byPodFailurePolicy(); t.end != nil {
		return 0
	}
	if t.failed > backoffLimit(t.job) || t.restartsExceed() {
		t.end = t.fail(reasonBackoffLimit, "Job has reached the specified backoff limit")
		return 0
	}
	if limit := t.job.GetSpec().ActiveDeadlineSeconds; limit != nil && !isSuspended(t.job) && t.status.GetStartTime() != nil {
		wait = apitime.Go(t.status.GetStartTime()).Add(time.Duration(*limit) * time.Second).Sub(t.now)
		if wait <= 0 {
			t.end = t.fail(reasonDeadline, "Job was active longer than specified deadline")
			return 0
		}
	}
	if isIndexed(t.job) {
		t.end = t.byIndexes()
	}
	return wait
}

func (t *tally) byPodFailurePolicy() *batchv1.JobCondition {
	policy := t.job.GetSpec().GetPodFailurePolicy()
	if policy == nil {
		return nil
	}
	for _, pod := range t.pods {
		if !isFailed(t.job, pod) {
			continue
		}
		if action, message := meaning(policy, pod); action == actionFailJob {
			return t.fail(reasonPodFailurePolicy, message)
		}
	}
	return nil
}

// restartsExceed reports whether containers that are restarted in place have failed too often together.
func (t *tally) restartsExceed() bool {
	if t.job.GetSpec().GetTemplate().GetSpec().GetRestartPolicy() != "OnFailure" {
		return false
	}
	n := 0
	for _, pod := range t.pods {
		if phase := pod.GetStatus().GetPhase(); phase != podstate.Running && phase != podstate.Pending {
			continue
		}
		for _, c := range pod.GetStatus().GetInitContainerStatuses() {
			n += int(c.GetRestartCount())
		}
		for _, c := range pod.GetStatus().GetContainerStatuses() {
			n += int(c.GetRestartCount())
		}
	}
	return n > 0 && n >= backoffLimit(t.job)
}

func (t *tally) byIndexes() *batchv1.JobCondition {
	limit, _ := completions(t.job)
	if perIndex(t.job) {
		most := t.job.GetSpec().MaxFailedIndexes
		if most != nil && t.broken.len() > int(*most) {
			return t.fail(reasonMaxFailedIndexes, "Job has exceeded the specified maximal number of failed indexes")
		}
		if t.broken.len() > 0 && t.broken.len()+t.done.len() >= limit {
			return t.fail(reasonFailedIndexes, "Job has failed indexes")
		}
	}
	if message, met := succeedsBy(t.job, t.done); met {
		return condition(successCriteriaMet, statusTrue, reasonSuccessPolicy, message, t.now)
	}
	return nil
}

// reached reports whether the number of completions has been reached and nothing runs any more.
func (t *tally) reached() bool {
	if n, ok := completions(t.job); ok {
		return t.succeeded >= n && t.running == 0
	}
	return t.succeeded > 0 && t.running == 0
}

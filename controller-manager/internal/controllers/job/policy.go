package job

import (
	"fmt"
	"slices"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// Actions of a pod failure policy.
const (
	actionIgnore    = "Ignore"
	actionFailIndex = "FailIndex"
	actionFailJob   = "FailJob"
)

// meaning says what a pod's failure means: the action of the first rule that fits, empty for none. message is set where
// the whole Job fails.
func meaning(policy *batchv1.PodFailurePolicy, pod *corev1.Pod) (action, message string) {
	m := pod.GetMetadata()
	for i, rule := range policy.GetRules() {
		why := ""
		if r := rule.GetOnExitCodes(); r != nil {
			if c := exited(pod, r); c != nil {
				why = fmt.Sprintf("Container %s for pod %s/%s failed with exit code %d matching %s rule at index %d",
					c.GetName(), m.GetNamespace(), m.GetName(), c.GetState().GetTerminated().GetExitCode(), rule.GetAction(), i)
			}
		} else if c := inCondition(pod, rule.GetOnPodConditions()); c != nil {
			why = fmt.Sprintf("Pod %s/%s has condition %s matching %s rule at index %d", m.GetNamespace(), m.GetName(), c.GetType(), rule.GetAction(), i)
		}
		if why == "" {
			continue
		}
		if rule.GetAction() == actionFailJob {
			return actionFailJob, why
		}
		return rule.GetAction(), ""
	}
	return "", ""
}

// counts reports whether the pod's failure counts against the limits.
func counts(job *batchv1.Job, pod *corev1.Pod) bool {
	action, _ := meaning(job.GetSpec().GetPodFailurePolicy(), pod)
	return action != actionIgnore
}

// exited returns a container that ended with an exit code that the rule is for. Success is never a failure.
func exited(pod *corev1.Pod, r *batchv1.PodFailurePolicyOnExitCodesRequirement) *corev1.ContainerStatus {
	for _, c := range slices.Concat(pod.GetStatus().GetContainerStatuses(), pod.GetStatus().GetInitContainerStatuses()) {
		end := c.GetState().GetTerminated()
		if end == nil || end.GetExitCode() == 0 || r.ContainerName != nil && r.GetContainerName() != c.GetName() {
			continue
		}
		if slices.Contains(r.GetValues(), end.GetExitCode()) == (r.GetOperator() == "In") {
			return c
		}
	}
	return nil
}

func inCondition(pod *corev1.Pod, patterns []*batchv1.PodFailurePolicyOnPodConditionsPattern) *corev1.PodCondition {
	for _, c := range pod.GetStatus().GetConditions() {
		for _, p := range patterns {
			want := p.GetStatus()
			if want == "" {
				want = statusTrue
			}
			if c.GetType() == p.GetType() && c.GetStatus() == want {
				return c
			}
		}
	}
	return nil
}

// succeedsBy returns the message of the first rule of a success policy that holds.
func succeedsBy(job *batchv1.Job, done indexes) (message string, met bool) {
	if len(done) == 0 {
		return "", false
	}
	limit, _ := completions(job)
	for i, rule := range job.GetSpec().GetSuccessPolicy().GetRules() {
		if rule.SucceededIndexes == nil {
			met = rule.SucceededCount != nil && done.len() >= int(*rule.SucceededCount)
		} else {
			wanted := parseIndexes(*rule.SucceededIndexes, limit)
			have := wanted.common(done)
			met = len(wanted) > 0 && (have == wanted.len() || rule.SucceededCount != nil && have >= int(*rule.SucceededCount))
		}
		if met {
			return fmt.Sprintf("Matched rules at index %d", i), true
		}
	}
	return "", false
}

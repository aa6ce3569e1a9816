package job

import (
	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
)

// Labels, annotations and finalizers of a Job's pods.
const (
	finalizer = "batch.kubernetes.io/job-tracking"
	// annotationIndex is a label too.
	annotationIndex           = "batch.kubernetes.io/job-completion-index"
	annotationFailures        = "batch.kubernetes.io/job-index-failure-count"
	annotationIgnoredFailures = "batch.kubernetes.io/job-index-ignored-failure-count"
	envIndex                  = "JOB_COMPLETION_INDEX"
	// managedByUs is the value of spec.managedBy that means this controller.
	managedByUs = "kubernetes.io/job-controller"
)

// Conditions and their reasons.
const (
	complete           = "Complete"
	failed             = "Failed"
	suspended          = "Suspended"
	successCriteriaMet = "SuccessCriteriaMet"
	failureTarget      = "FailureTarget"

	statusTrue  = "True"
	statusFalse = "False"

	reasonCompletions      = "CompletionsReached"
	reasonSuccessPolicy    = "SuccessPolicy"
	reasonPodFailurePolicy = "PodFailurePolicy"
	reasonBackoffLimit     = "BackoffLimitExceeded"
	reasonDeadline         = "DeadlineExceeded"
	reasonMaxFailedIndexes = "MaxFailedIndexesExceeded"
	reasonFailedIndexes    = "FailedIndexes"
)

func isIndexed(job *batchv1.Job) bool { return job.GetSpec().GetCompletionMode() == "Indexed" }

func isSuspended(job *batchv1.Job) bool { return job.GetSpec().GetSuspend() }

// perIndex reports whether failures count for each index by itself.
func perIndex(job *batchv1.Job) bool {
	return isIndexed(job) && job.GetSpec().BackoffLimitPerIndex != nil
}

// elsewhere reports whether another controller looks after the Job.
func elsewhere(job *batchv1.Job) bool {
	by := job.GetSpec().ManagedBy
	return by != nil && *by != managedByUs
}

// waitsForEnd reports whether a pod is only replaced once it has ended, not as soon as it is being deleted. A Job with a
// pod failure policy has to see how its pods end.
func waitsForEnd(job *batchv1.Job) bool {
	if p := job.GetSpec().PodReplacementPolicy; p != nil {
		return *p == failed
	}
	return job.GetSpec().GetPodFailurePolicy() != nil
}

// The API sets defaults for these; what is stored without them is read the same way.

func parallelism(job *batchv1.Job) int {
	if n := job.GetSpec().Parallelism; n != nil {
		return int(*n)
	}
	return 1
}

func backoffLimit(job *batchv1.Job) int {
	if n := job.GetSpec().BackoffLimit; n != nil {
		return int(*n)
	}
	return 6
}

// completions is how many must succeed; for a Job without a number, ok is false.
func completions(job *batchv1.Job) (n int, ok bool) {
	if c := job.GetSpec().Completions; c != nil {
		return int(*c), true
	}
	return 0, false
}

func conditionOf(s *batchv1.JobStatus, kind string) *batchv1.JobCondition {
	for _, c := range s.GetConditions() {
		if c.GetType() == kind {
			return c
		}
	}
	return nil
}

// isTrue reports whether the status has a condition of the kind that is True.
func isTrue(s *batchv1.JobStatus, kind string) bool {
	return conditionOf(s, kind).GetStatus() == statusTrue
}

// Finished reports whether a Job has ended, and by which condition.
func Finished(job *batchv1.Job) (*batchv1.JobCondition, bool) {
	for _, kind := range []string{complete, failed} {
		if c := conditionOf(job.GetStatus(), kind); c.GetStatus() == statusTrue {
			return c, true
		}
	}
	return nil, false
}

// Succeeded reports whether a Job has ended well.
func Succeeded(job *batchv1.Job) bool { return isTrue(job.GetStatus(), complete) }

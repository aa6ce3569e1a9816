package table

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

var (
	_ = register(jobCells, "metadata.deletionTimestamp", "spec.completions", "spec.parallelism", "spec.selector",
		"spec.template.spec.containers.name", "spec.template.spec.containers.image",
		"status.succeeded", "status.startTime", "status.completionTime", "status.conditions.type", "status.conditions.status")
	_ = register(cronJobCells, "spec.schedule", "spec.timeZone", "spec.suspend", "spec.jobTemplate.spec.selector",
		"spec.jobTemplate.spec.template.spec.containers.name", "spec.jobTemplate.spec.template.spec.containers.image",
		"status.active.", "status.lastScheduleTime")
)

// jobStates are the conditions that make a job's one word, in the order in which they matter; a deletion comes after the
// first two.
var jobStates = []string{"Complete", "Failed", "", "Suspended", "FailureTarget", "SuccessCriteriaMet"}

func jobState(j *batchv1.Job) string {
	for _, state := range jobStates {
		if state == "" {
			if j.GetMetadata().GetDeletionTimestamp() != nil {
				return "Terminating"
			}
			continue
		}
		for _, c := range j.GetStatus().GetConditions() {
			if c.Type == state && c.Status == "True" {
				return state
			}
		}
	}
	return "Running"
}

func jobCells(j *batchv1.Job, now time.Time) []any {
	spec, status := j.GetSpec(), j.GetStatus()
	if spec == nil {
		spec = &batchv1.JobSpec{}
	}
	completions := fmt.Sprintf("%d/1", status.GetSucceeded())
	if spec.Completions != nil {
		completions = fmt.Sprintf("%d/%d", status.GetSucceeded(), *spec.Completions)
	} else if n := spec.GetParallelism(); n > 1 {
		completions += fmt.Sprintf(" of %d", n)
	}
	took := ""
	if start := status.GetStartTime(); start != nil {
		end := now
		if status.CompletionTime != nil {
			end = clock(status.CompletionTime)
		}
		took = duration.HumanDuration(end.Sub(clock(start)))
	}
	names, img := images(spec.GetTemplate())
	return []any{jobState(j), completions, took, created(j.Metadata, now), names, img, selector(spec.Selector)}
}

func clock(t *metav1.Time) time.Time { return time.Unix(t.GetSeconds(), int64(t.GetNanos())) }

func cronJobCells(c *batchv1.CronJob, now time.Time) []any {
	spec := c.GetSpec()
	if spec == nil {
		spec = &batchv1.CronJobSpec{}
	}
	last, zone, suspend := none, none, unset
	if t := c.GetStatus().GetLastScheduleTime(); t != nil {
		last = age(t, now)
	}
	if spec.TimeZone != nil {
		zone = *spec.TimeZone
	}
	if spec.Suspend != nil {
		if suspend = "False"; *spec.Suspend {
			suspend = "True"
		}
	}
	job := spec.GetJobTemplate().GetSpec()
	names, img := images(job.GetTemplate())
	return []any{spec.Schedule, zone, suspend, int64(len(c.GetStatus().GetActive())), last, created(c.Metadata, now), names, img,
		selector(job.GetSelector())}
}

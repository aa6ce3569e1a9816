package cronjob

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/controllers/job"
	"github.com/keelson/keelson/controller-manager/internal/owner"
)

const annotationScheduled = "batch.kubernetes.io/cronjob-scheduled-timestamp"

// Concurrency policies.
const (
	forbid  = "Forbid"
	replace = "Replace"
)

// nameAt is the name of the Job for a time.
func nameAt(cj *batchv1.CronJob, due time.Time) string {
	return fmt.Sprintf("%s-%d", cj.GetMetadata().GetName(), due.Unix()/60)
}

// jobAt makes the Job for a time.
func jobAt(cj *batchv1.CronJob, due time.Time) *batchv1.Job {
	template := proto.CloneOf(cj.GetSpec().GetJobTemplate())
	annotations := maps.Clone(template.GetMetadata().GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	zone := time.UTC
	if name := cj.GetSpec().TimeZone; name != nil {
		if in, err := time.LoadLocation(*name); err == nil {
			zone = in
		}
	}
	annotations[annotationScheduled] = due.In(zone).Format(time.RFC3339)
	return &batchv1.Job{
		Metadata: &metav1.ObjectMeta{
			Namespace: cj.GetMetadata().GetNamespace(), Name: nameAt(cj, due),
			Labels: template.GetMetadata().GetLabels(), Annotations: annotations,
			OwnerReferences: []*metav1.OwnerReference{owner.NewControllerRef("batch/v1", "CronJob", cj.GetMetadata())},
		},
		Spec: template.GetSpec(),
	}
}

func refTo(j *batchv1.Job) *corev1.ObjectReference {
	m := j.GetMetadata()
	return &corev1.ObjectReference{
		ApiVersion: "batch/v1", Kind: "Job", Namespace: m.GetNamespace(), Name: m.GetName(), Uid: m.GetUid(), ResourceVersion: m.GetResourceVersion(),
	}
}

// surplus lists ended Jobs beyond the limits of the history, the oldest first.
func surplus(cj *batchv1.CronJob, jobs []*batchv1.Job) []*batchv1.Job {
	var good, bad []*batchv1.Job
	for _, j := range jobs {
		if _, over := job.Finished(j); !over {
			continue
		}
		if job.Succeeded(j) {
			good = append(good, j)
		} else {
			bad = append(bad, j)
		}
	}
	return append(beyond(good, cj.GetSpec().SuccessfulJobsHistoryLimit), beyond(bad, cj.GetSpec().FailedJobsHistoryLimit)...)
}

func beyond(jobs []*batchv1.Job, limit *int32) []*batchv1.Job {
	if limit == nil || len(jobs) <= int(*limit) {
		return nil
	}
	started := func(j *batchv1.Job) time.Time {
		if t := j.GetStatus().GetStartTime(); !apitime.IsZero(t) {
			return apitime.Go(t)
		}
		return apitime.Go(j.GetMetadata().GetCreationTimestamp())
	}
	slices.SortFunc(jobs, func(a, b *batchv1.Job) int {
		return cmp.Or(started(a).Compare(started(b)), cmp.Compare(a.GetMetadata().GetName(), b.GetMetadata().GetName()))
	})
	return jobs[:len(jobs)-int(*limit)]
}

// observe makes the status from the Jobs that are there. told gets what users should know: reason and message.
func observe(cj *batchv1.CronJob, jobs []*batchv1.Job, told func(warning bool, reason, message string)) *batchv1.CronJobStatus {
	old := cj.GetStatus()
	out := &batchv1.CronJobStatus{LastScheduleTime: old.GetLastScheduleTime(), LastSuccessfulTime: old.GetLastSuccessfulTime()}
	known := map[string]bool{}
	there := map[string]*batchv1.Job{}
	for _, j := range jobs {
		there[j.GetMetadata().GetUid()] = j
	}
	for _, ref := range old.GetActive() {
		known[ref.GetUid()] = true
		j := there[ref.GetUid()]
		if j == nil {
			told(false, "MissingJob", "Active job went missing: "+ref.GetName())
			continue
		}
		if end, over := job.Finished(j); over {
			told(false, "SawCompletedJob", fmt.Sprintf("Saw completed job: %s, condition: %s", ref.GetName(), end.GetType()))
			continue
		}
		out.Active = append(out.Active, ref)
	}
	for _, j := range jobs {
		if _, over := job.Finished(j); !over && !known[j.GetMetadata().GetUid()] {
			// Jobs that people made of the template run beside those of the schedule.
			if j.GetMetadata().GetAnnotations()[annotationScheduled] != "" {
				out.Active = append(out.Active, refTo(j))
			} else {
				told(true, "UnexpectedJob", "Saw a job that the controller did not create or forgot: "+j.GetMetadata().GetName())
			}
		}
		if end := j.GetStatus().GetCompletionTime(); job.Succeeded(j) && apitime.Go(end).After(apitime.Go(out.LastSuccessfulTime)) {
			out.LastSuccessfulTime = end
		}
	}
	return out
}

// Package batch holds the logic of the batch group's kinds that no option can say.
package batch

import (
	"math"
	"strconv"

	"google.golang.org/protobuf/proto"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Labels by which a job's pods are known; the old ones have no domain.
const (
	ControllerUID    = "batch.kubernetes.io/controller-uid"
	JobName          = "batch.kubernetes.io/job-name"
	OldControllerUID = "controller-uid"
	OldJobName       = "job-name"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*batchv1.Job]{
		Finish: defaultJob, Validate: job, ValidateStatus: jobStatus,
		Fields: func(j *batchv1.Job, set func(path, value string)) {
			set("status.successful", strconv.Itoa(int(j.GetStatus().GetSucceeded())))
		},
	})
	rule.AddKind(s, rule.TypedKind[*batchv1.CronJob]{Validate: cronJob})
}

// defaultBackoff is how many failures of pods a job outlives.
const defaultBackoff = 6

// defaultJob sets what holds for jobs but not for the templates of jobs.
func defaultJob(j *batchv1.Job) {
	if j.Spec == nil {
		j.Spec = &batchv1.JobSpec{}
	}
	s := j.Spec
	if s.Completions == nil && s.Parallelism == nil {
		s.Completions = proto.Int32(1)
	}
	if s.Parallelism == nil {
		s.Parallelism = proto.Int32(1)
	}
	if s.BackoffLimit == nil {
		s.BackoffLimit = proto.Int32(defaultBackoff)
		if s.BackoffLimitPerIndex != nil {
			s.BackoffLimit = proto.Int32(math.MaxInt32)
		}
	}
	if s.CompletionMode == nil {
		s.CompletionMode = proto.String("NonIndexed")
	}
	if s.Suspend == nil {
		s.Suspend = proto.Bool(false)
	}
	if s.PodReplacementPolicy == nil {
		s.PodReplacementPolicy = proto.String("TerminatingOrFailed")
		if s.PodFailurePolicy != nil {
			s.PodReplacementPolicy = proto.String("Failed")
		}
	}
	if s.ManualSelector == nil {
		s.ManualSelector = proto.Bool(false)
	}
	shareLabels(j)
}

// shareLabels gives a job without labels those of its template. The two share one map, so that a job that is being
// created has the labels too with which its pods are told from others'.
func shareLabels(j *batchv1.Job) {
	m, labels := j.GetMetadata(), j.Spec.GetTemplate().GetMetadata().GetLabels()
	if m != nil && len(m.Labels) == 0 && len(labels) > 0 {
		m.Labels = labels
	}
}

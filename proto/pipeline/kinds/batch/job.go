// Package batch holds the batch group's logic around writes.
package batch

import (
	"context"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema/kinds/batch"
)

// Jobs are the hooks of jobs. A job's pods outlive it unless its deletion says otherwise, as they always have.
func Jobs() strategy.Hooks {
	return strategy.Hooks{PrepareCreate: prepareJob, Orphans: true}
}

// prepareJob gives a job that brings no selector of its own one that no other job has. Labels that a user has set
// otherwise are left for the validation to refuse.
func prepareJob(_ context.Context, obj strategy.Object) {
	j := obj.(*batchv1.Job)
	s := j.Spec
	if s == nil || s.GetManualSelector() {
		return
	}
	if s.Template == nil {
		s.Template = &corev1.PodTemplateSpec{}
	}
	if s.Template.Metadata == nil {
		s.Template.Metadata = &metav1.ObjectMeta{}
	}
	labels := s.Template.Metadata.Labels
	if labels == nil {
		labels = map[string]string{}
		if len(j.Metadata.Labels) == 0 {
			// Else the job's labels are this very map already, where they are those of its pods; see its defaults.
			j.Metadata.Labels = labels
		}
	}
	for key, value := range map[string]string{
		batch.OldJobName: j.Metadata.GetName(), batch.JobName: j.Metadata.GetName(),
		batch.OldControllerUID: j.Metadata.GetUid(), batch.ControllerUID: j.Metadata.GetUid(),
	} {
		if _, ok := labels[key]; !ok {
			labels[key] = value
		}
	}
	s.Template.Metadata.Labels = labels
	if s.Selector == nil {
		s.Selector = &metav1.LabelSelector{}
	}
	if s.Selector.MatchLabels == nil {
		s.Selector.MatchLabels = map[string]string{}
	}
	if _, ok := s.Selector.MatchLabels[batch.ControllerUID]; !ok {
		s.Selector.MatchLabels[batch.ControllerUID] = j.Metadata.GetUid()
	}
}

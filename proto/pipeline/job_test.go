package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// A job that brings no labels has those of its pods: jobs are found by the labels of their pods.
func TestLabelsOfJobs(t *testing.T) {
	h := start(t)
	for name, c := range map[string]struct{ own, pods, want map[string]string }{
		"none":          {nil, nil, map[string]string{}},
		"the-pods":      {nil, map[string]string{"a": "b"}, map[string]string{"a": "b"}},
		"its-own":       {map[string]string{"c": "d"}, nil, nil},
		"its-own-equal": {map[string]string{"a": "b"}, map[string]string{"a": "b"}, nil},
	} {
		j := into(t, h.mustCreate(ref("batch", "jobs", "default", ""), &batchv1.Job{
			Metadata: &metav1.ObjectMeta{Name: name, Labels: c.own},
			Spec: &batchv1.JobSpec{Template: &corev1.PodTemplateSpec{
				Metadata: &metav1.ObjectMeta{Labels: c.pods},
				Spec:     &corev1.PodSpec{RestartPolicy: "Never", Containers: []*corev1.Container{{Name: "c", Image: "i"}}},
			}},
		}), &batchv1.Job{})
		want := c.own
		if c.want != nil {
			want = c.want
			for _, key := range []string{"job-name", "batch.kubernetes.io/job-name"} {
				want[key] = name
			}
			for _, key := range []string{"controller-uid", "batch.kubernetes.io/controller-uid"} {
				want[key] = j.Metadata.Uid
			}
		}
		if diff := cmp.Diff(want, j.Metadata.Labels); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

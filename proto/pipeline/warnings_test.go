package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// What most likely is a mistake is allowed, and said.
func TestWarningsOfObjects(t *testing.T) {
	h := start(t)
	env := []*corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}, {Name: "B", Value: "$(B)3"}, {Name: "A", Value: "3"}}
	template := &corev1.PodTemplate{
		Metadata: &metav1.ObjectMeta{Name: "twice"},
		Template: &corev1.PodTemplateSpec{Spec: &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: "i", Env: env}}}},
	}
	res, err := h.create(ref("", "podtemplates", "default", ""), template)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`template.spec.containers[0].env[3]: hides previous definition of "A", which may be dropped when using apply`}
	if diff := cmp.Diff(want, res.Warnings); diff != "" {
		t.Error(diff)
	}
}

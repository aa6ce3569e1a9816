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
	port := func(container, host int32, ip string) *corev1.ContainerPort {
		return &corev1.ContainerPort{ContainerPort: container, HostPort: host, HostIP: ip}
	}
	pod := &corev1.PodTemplate{Metadata: &metav1.ObjectMeta{Name: "ports"}, Template: &corev1.PodTemplateSpec{Spec: &corev1.PodSpec{
		ImagePullSecrets: []*corev1.LocalObjectReference{{Name: "a"}, {Name: "a"}, {}},
		Containers: []*corev1.Container{
			{Name: "c", Image: "i", Ports: []*corev1.ContainerPort{port(80, 0, ""), port(81, 8081, ""), port(82, 8082, "1.1.1.1")}},
			{Name: "d", Image: "i", Ports: []*corev1.ContainerPort{port(80, 0, ""), port(81, 0, ""), port(82, 8083, "")}},
		},
	}}}
	twice, err := h.create(ref("", "podtemplates", "default", ""), pod)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		`template.spec.imagePullSecrets[1].name: duplicate name "a"`, `template.spec.imagePullSecrets[2].name: invalid empty name ""`,
		"template.spec.containers[1].ports[0]: duplicate port definition with template.spec.containers[0].ports[0]",
		"template.spec.containers[1].ports[1]: overlapping port definition with template.spec.containers[0].ports[1]",
	}, twice.Warnings); diff != "" {
		t.Error(diff)
	}
	want := []string{`template.spec.containers[0].env[3]: hides previous definition of "A", which may be dropped when using apply`}
	if diff := cmp.Diff(want, res.Warnings); diff != "" {
		t.Error(diff)
	}
}

package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	storagev1 "github.com/keelson/keelson/proto/gen/keelson/storage/v1"
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

// Old names of node labels and tokens that a driver gets in the clear are warned of.
func TestWarningsOfOldNames(t *testing.T) {
	h := start(t)
	old := "beta.kubernetes.io/os"
	spec := &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: "i"}}, NodeSelector: map[string]string{old: "linux"},
		TopologySpreadConstraints: []*corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "failure-domain.beta.kubernetes.io/zone",
			WhenUnsatisfiable: "DoNotSchedule", LabelSelector: &metav1.LabelSelector{}}},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []*corev1.NodeSelectorTerm{{MatchExpressions: []*corev1.NodeSelectorRequirement{{Key: old, Operator: "Exists"}}}}}}}}
	res, err := h.create(ref("", "podtemplates", "default", ""), &corev1.PodTemplate{Metadata: &metav1.ObjectMeta{Name: "old"}, Template: &corev1.PodTemplateSpec{Spec: spec}})
	if err != nil {
		t.Fatal(err)
	}
	const os = `deprecated since v1.14; use "kubernetes.io/os" instead`
	want := []string{
		"template.spec.nodeSelector[beta.kubernetes.io/os]: " + os,
		"template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/os is " + os,
		`template.spec.topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "topology.kubernetes.io/zone" instead`,
	}
	if diff := cmp.Diff(want, res.Warnings); diff != "" {
		t.Error(diff)
	}
	driver := &storagev1.CSIDriver{Metadata: &metav1.ObjectMeta{Name: "d"}, Spec: &storagev1.CSIDriverSpec{TokenRequests: []*storagev1.TokenRequest{{Audience: "a"}}}}
	if res, err = h.create(ref("storage.k8s.io", "csidrivers", "", ""), driver); err != nil || len(res.Warnings) != 1 {
		t.Errorf("%v, %v", res, err)
	}
}

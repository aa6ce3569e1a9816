package pipeline_test

import (
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func TestLimitRange(t *testing.T) {
	h := start(t)
	h.mustCreate(ref("", "limitranges", "default", ""), &corev1.LimitRange{Metadata: &metav1.ObjectMeta{Name: "l"}, Spec: &corev1.LimitRangeSpec{
		Limits: []*corev1.LimitRangeItem{
			{Type: "Container", Min: amounts("memory", "10Mi"), Max: amounts("cpu", "1", "memory", "1Gi"), MaxLimitRequestRatio: amounts("cpu", "4"),
				DefaultRequest: amounts("cpu", "250m", "memory", "20Mi"), Default: amounts("cpu", "500m", "memory", "20Mi")},
			{Type: "Pod", Max: amounts("cpu", "1500m")},
			{Type: "PersistentVolumeClaim", Min: amounts("storage", "1Gi"), Max: amounts("storage", "2Gi")},
		}}})
	h.seen(ref("", "limitranges", "default", "l"))
	it := h.mustCreate(ref("", "pods", "default", ""), pod("plain"))
	got := into(t, it, &corev1.Pod{})
	r := got.Spec.Containers[0].Resources
	if r.Requests["cpu"].GetString_() != "250m" || r.Limits["memory"].GetString_() != "20Mi" {
		t.Errorf("defaults are %v", r)
	}
	const note = "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c"
	if n := got.Metadata.Annotations["kubernetes.io/limit-ranger"]; n != note {
		t.Errorf("annotation is %q", n)
	}
	if got.GetStatus().GetQosClass() != "Burstable" {
		t.Errorf("QoS class is %q", got.GetStatus().GetQosClass())
	}
	with := func(requests, limits map[string]*metav1.Quantity) *corev1.Pod {
		p := pod("p")
		p.Spec.Containers[0].Resources = &corev1.ResourceRequirements{Requests: requests, Limits: limits}
		return p
	}
	for _, c := range []struct {
		pod  *corev1.Pod
		want string
	}{
		{with(amounts("memory", "1Mi"), nil), `pods "p" is forbidden: minimum memory usage per Container is 10Mi, but request is 1Mi`},
		{with(amounts("memory", "20Mi"), amounts("memory", "2Gi")), "maximum memory usage per Container is 1Gi, but limit is 2Gi"},
		{with(amounts("cpu", "100m"), amounts("cpu", "1")), "cpu max limit to request ratio per Container is 4, but provided ratio is 10.000000"},
	} {
		_, err := h.create(ref("", "pods", "default", ""), c.pod)
		wantErr(t, err, c.want)
	}
	two := with(amounts("cpu", "500m"), amounts("cpu", "1"))
	two.Spec.Containers = append(two.Spec.Containers, &corev1.Container{Name: "d", Image: "i", Resources: two.Spec.Containers[0].Resources})
	_, err := h.create(ref("", "pods", "default", ""), two)
	wantErr(t, err, "maximum cpu usage per Pod is 1500m, but limit is 2")
	_, err = h.create(ref("", "persistentvolumeclaims", "default", ""), &corev1.PersistentVolumeClaim{Metadata: &metav1.ObjectMeta{Name: "c"},
		Spec: &corev1.PersistentVolumeClaimSpec{AccessModes: []string{"ReadWriteOnce"}, Resources: &corev1.VolumeResourceRequirements{Requests: amounts("storage", "5Gi")}}})
	wantErr(t, err, "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 5Gi")
}

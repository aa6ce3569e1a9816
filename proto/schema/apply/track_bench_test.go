package apply

import (
	"testing"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// BenchmarkTrack are the writes that there are most of.
func BenchmarkTrack(b *testing.B) {
	k, _ := schema.Builtin().ByResource("", "v1", "pods")
	live := &corev1.Pod{Metadata: &metav1.ObjectMeta{Name: "p", Namespace: "d", Labels: map[string]string{"app": "web", "tier": "x"},
		Annotations: map[string]string{"a": "1"}}, Spec: &corev1.PodSpec{Containers: []*corev1.Container{{Name: "web", Image: "x:1",
		Env: []*corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}, Ports: []*corev1.ContainerPort{{Name: "http", ContainerPort: 80}},
		Args: []string{"a", "b"}}}}}
	k.Default(live)
	write := func(obj *corev1.Pod, w Writer, change func(*corev1.Pod)) *corev1.Pod {
		next := proto.CloneOf(obj)
		change(next)
		if err := Track(k, obj, next, w); err != nil {
			b.Fatal(err)
		}
		return next
	}
	if err := Track(k, nil, live, Writer{Manager: "kubectl", Now: at(0)}); err != nil {
		b.Fatal(err)
	}
	kubelet := Writer{Manager: "kubelet", Subresource: "status", Now: at(1)}
	status := func(reason string, ready string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status = &corev1.PodStatus{Phase: "Running", Message: reason, PodIP: "10.0.0.1",
				Conditions: []*corev1.PodCondition{{Type: "Ready", Status: ready}, {Type: "Initialized", Status: "True"}}}
		}
	}
	live = write(live, kubelet, status("a", "False"))
	for _, c := range []struct {
		name   string
		w      Writer
		change func(*corev1.Pod)
	}{
		{"same", kubelet, func(*corev1.Pod) {}},
		{"status", kubelet, status("b", "True")},
		{"label", Writer{Manager: "kubectl", Now: at(2)}, func(p *corev1.Pod) { p.Metadata.Labels["app"] = "other" }},
		{"label of another", Writer{Manager: "other", Now: at(2)}, func(p *corev1.Pod) { p.Metadata.Labels["app"] = "other" }},
		{"new label", Writer{Manager: "other", Now: at(2)}, func(p *corev1.Pod) { p.Metadata.Labels["new"] = "other" }},
	} {
		b.Run(c.name, func(b *testing.B) {
			next := proto.CloneOf(live)
			c.change(next)
			b.ReportAllocs()
			for b.Loop() {
				next.Metadata.ManagedFields = live.Metadata.ManagedFields
				if err := Track(k, live, next, c.w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package pipeline_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	networkingv1 "github.com/keelson/keelson/proto/gen/keelson/networking/v1"
	nodev1 "github.com/keelson/keelson/proto/gen/keelson/node/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	schedulingv1 "github.com/keelson/keelson/proto/gen/keelson/scheduling/v1"
)

func TestDefaultIngressClass(t *testing.T) {
	h := start(t)
	classes := ref("networking.k8s.io", "ingressclasses", "", "")
	for name, is := range map[string]string{"a": "false", "b": "true"} {
		h.mustCreate(classes, &networkingv1.IngressClass{Metadata: &metav1.ObjectMeta{Name: name,
			Annotations: map[string]string{"ingressclass.kubernetes.io/is-default-class": is}}, Spec: &networkingv1.IngressClassSpec{Controller: "x.example/y"}})
		if _, err := h.get(ref("networking.k8s.io", "ingressclasses", "", name)); err != nil {
			t.Fatal(err)
		}
	}
	ingress := func(name string, class *string, annotations map[string]string) *networkingv1.Ingress {
		return &networkingv1.Ingress{Metadata: &metav1.ObjectMeta{Name: name, Annotations: annotations}, Spec: &networkingv1.IngressSpec{IngressClassName: class,
			DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "s", Port: &networkingv1.ServiceBackendPort{Number: 80}}}}}
	}
	for _, c := range []struct {
		in   *networkingv1.Ingress
		want *string
	}{
		{ingress("i", nil, nil), proto.String("b")},
		{ingress("j", proto.String("other"), nil), proto.String("other")},
		{ingress("k", nil, map[string]string{"kubernetes.io/ingress.class": "old"}), nil},
	} {
		got := into(t, h.mustCreate(ref("networking.k8s.io", "ingresses", "default", ""), c.in), &networkingv1.Ingress{})
		if g := got.Spec.IngressClassName; (g == nil) != (c.want == nil) || g != nil && *g != *c.want {
			t.Errorf("%s: class %v", c.in.Metadata.Name, g)
		}
	}
}

func TestRuntimeClass(t *testing.T) {
	h := start(t)
	amount := func(s string) map[string]*metav1.Quantity { return map[string]*metav1.Quantity{"cpu": {String_: s}} }
	h.mustCreate(ref("node.k8s.io", "runtimeclasses", "", ""), &nodev1.RuntimeClass{Metadata: &metav1.ObjectMeta{Name: "vm"}, Handler: "vm",
		Overhead: &nodev1.Overhead{PodFixed: amount("250m")}, Scheduling: &nodev1.Scheduling{NodeSelector: map[string]string{"vm": "yes"}}})
	if _, err := h.get(ref("node.k8s.io", "runtimeclasses", "", "vm")); err != nil {
		t.Fatal(err)
	}
	pod := func(class string, overhead map[string]*metav1.Quantity, selector map[string]string) *corev1.Pod {
		p := &corev1.Pod{Metadata: &metav1.ObjectMeta{GenerateName: "p"}, Spec: &corev1.PodSpec{Containers: []*corev1.Container{{Name: "a", Image: "a"}},
			Overhead: overhead, NodeSelector: selector}}
		if class != "" {
			p.Spec.RuntimeClassName = &class
		}
		return p
	}
	pods := ref("", "pods", "default", "")
	for _, c := range []struct {
		name, want string
		in         *corev1.Pod
	}{
		{"plain", "", pod("", nil, nil)},
		{"class", "", pod("vm", nil, nil)},
		{"same overhead", "", pod("vm", amount("0.25"), nil)},
		{"other overhead", "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead", pod("vm", amount("1"), nil)},
		{"overhead without class", "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead", pod("", amount("1"), nil)},
		{"missing", `pod rejected: RuntimeClass "none" not found`, pod("none", nil, nil)},
		{"conflict", "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no", pod("vm", nil, map[string]string{"vm": "no"})},
	} {
		res, err := h.create(pods, c.in)
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v", c.name, err)
			}
		case err != nil:
			if !strings.Contains(err.Error(), "not supported by Keelson yet") {
				t.Errorf("%s: %v", c.name, err)
			}
		case c.in.Spec.RuntimeClassName != nil:
			got := into(t, res.Item, &corev1.Pod{})
			if got.Spec.Overhead["cpu"].GetString_() == "" || got.Spec.NodeSelector["vm"] != "yes" {
				t.Errorf("%s: %v", c.name, got.Spec)
			}
		}
	}
}

// A second default would leave open which one a pod gets.
func TestOneDefaultPriorityClass(t *testing.T) {
	h := start(t)
	classes := func(name string) *resourcev1.ObjectRef { return ref("scheduling.k8s.io", "priorityclasses", "", name) }
	class := func(name string, is bool) *schedulingv1.PriorityClass {
		return &schedulingv1.PriorityClass{Metadata: &metav1.ObjectMeta{Name: name}, Value: 5, GlobalDefault: is}
	}
	h.mustCreate(classes(""), class("a", true))
	h.mustCreate(classes(""), class("b", false))
	if _, err := h.get(classes("b")); err != nil {
		t.Fatal(err)
	}
	const text = "PriorityClass a is already marked as default. Only one default can exist"
	_, err := h.create(classes(""), class("c", true))
	wantErr(t, err, text)
	_, err = h.update(classes("b"), class("b", true))
	wantErr(t, err, text)
	if _, err := h.update(classes("a"), class("a", true)); err != nil {
		t.Error(err)
	}
}

// A volume says since when it is in its phase.
func TestPhaseOfVolumes(t *testing.T) {
	h := start(t)
	volume := &corev1.PersistentVolume{Metadata: &metav1.ObjectMeta{Name: "v"}, Spec: &corev1.PersistentVolumeSpec{AccessModes: []string{"ReadWriteOnce"},
		Capacity: map[string]*metav1.Quantity{"storage": {String_: "1Gi"}}, PersistentVolumeSource: &corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/v"}}}}
	got := into(t, h.mustCreate(ref("", "persistentvolumes", "", ""), volume), &corev1.PersistentVolume{})
	if got.Status.Phase != "Pending" || got.Status.LastPhaseTransitionTime.GetSeconds() == 0 {
		t.Errorf("status %v", got.Status)
	}
}

// A node is registered with its status; other kinds' is not for those who create them.
func TestStatusOfNewNodes(t *testing.T) {
	h := start(t)
	node := &corev1.Node{Metadata: &metav1.ObjectMeta{Name: "n"}, Spec: &corev1.NodeSpec{PodCIDR: "10.0.0.0/24"}, Status: &corev1.NodeStatus{
		Capacity: map[string]*metav1.Quantity{"pods": {String_: "5"}}, Conditions: []*corev1.NodeCondition{{Type: "Ready", Status: "True"}}}}
	got := into(t, h.mustCreate(ref("", "nodes", "", ""), node), &corev1.Node{})
	if len(got.Status.GetConditions()) != 1 || got.Status.Allocatable["pods"].GetString_() != "5" {
		t.Errorf("status %v", got.Status)
	}
	if len(got.Spec.PodCIDRs) != 1 || got.Spec.PodCIDRs[0] != "10.0.0.0/24" {
		t.Errorf("ranges %v", got.Spec.PodCIDRs)
	}
}

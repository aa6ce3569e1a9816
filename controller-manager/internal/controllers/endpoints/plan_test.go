package endpoints

import (
	"fmt"
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/protobuf/proto"
)

func service() *corev1.Service {
	return &corev1.Service{
		Metadata: &metav1.ObjectMeta{Name: "web", Namespace: "default", Labels: map[string]string{"app": "web"}},
		Spec: &corev1.ServiceSpec{
			ClusterIP: "10.96.0.9", Selector: map[string]string{"app": "web"},
			Ports: []*corev1.ServicePort{{Name: "http", Port: 80, Protocol: "TCP", TargetPort: &metav1.IntOrString{IntVal: 8080}}},
		},
	}
}

func pod(i int, ready string) *corev1.Pod {
	ip := fmt.Sprintf("10.244.%d.%d", i/250, i%250+1)
	return &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Name: fmt.Sprintf("web-%d", i), Namespace: "default", Uid: fmt.Sprint(i)},
		Spec:     &corev1.PodSpec{NodeName: "n1"},
		Status:   &corev1.PodStatus{PodIP: ip, Phase: "Running", Conditions: []*corev1.PodCondition{{Type: "Ready", Status: ready}}},
	}
}

func TestDesired(t *testing.T) {
	gone := pod(3, "True")
	gone.Metadata.DeletionTimestamp = &metav1.Time{Seconds: proto.Int64(1)}
	pods := []*corev1.Pod{pod(2, "True"), pod(1, "True"), gone, pod(4, "False")}
	ep := desired(service(), pods, nil)
	if len(ep.Subsets) != 1 {
		t.Fatalf("subsets: %v", ep.Subsets)
	}
	s := ep.Subsets[0]
	if len(s.Addresses) != 2 || s.Addresses[0].Ip != "10.244.0.2" || len(s.NotReadyAddresses) != 1 || s.Ports[0].Port != 8080 {
		t.Errorf("subset: %v", s)
	}
	if ep.Metadata.Labels["app"] != "web" || ep.Metadata.Labels[labelManager] != manager {
		t.Errorf("labels: %v", ep.Metadata.Labels)
	}
	if again := desired(service(), pods, ep); !same(ep, again) {
		t.Error("a second pass would write again")
	}
	svc := service()
	svc.Spec.PublishNotReadyAddresses = true
	if s := desired(svc, pods, nil).Subsets[0]; len(s.Addresses) != 4 {
		t.Errorf("published: %v", s)
	}
}

func TestCapacity(t *testing.T) {
	var pods []*corev1.Pod
	for i := range 1200 {
		ready := "True"
		if i < 300 {
			ready = "False"
		}
		pods = append(pods, pod(i, ready))
	}
	ep := desired(service(), pods, nil)
	if s := ep.Subsets[0]; len(s.Addresses) != 900 || len(s.NotReadyAddresses) != 100 {
		t.Errorf("%d ready and %d not ready", len(s.Addresses), len(s.NotReadyAddresses))
	}
	if ep.Metadata.Annotations[annotationOverCapacity] != truncated {
		t.Error("not marked as truncated")
	}
}

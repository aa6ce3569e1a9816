package podgc

import (
	"fmt"
	"testing"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
)

func pod(node string, terminating bool) *corev1.Pod {
	p := &corev1.Pod{Metadata: &metav1.ObjectMeta{Name: "p"}, Spec: &corev1.PodSpec{NodeName: node}, Status: &corev1.PodStatus{}}
	if terminating {
		p.Metadata.DeletionTimestamp = apitime.Of(time.Unix(1, 0))
	}
	return p
}

func node(ready string, taints ...string) *corev1.Node {
	n := &corev1.Node{Spec: &corev1.NodeSpec{}, Status: &corev1.NodeStatus{Conditions: []*corev1.NodeCondition{{Type: "Ready", Status: ready}}}}
	for _, key := range taints {
		n.Spec.Taints = append(n.Spec.Taints, &corev1.Taint{Key: key, Effect: "NoExecute"})
	}
	return n
}

func TestJudge(t *testing.T) {
	const off = "node.kubernetes.io/out-of-service"
	for _, tc := range []struct {
		name string
		pod  *corev1.Pod
		node *corev1.Node
		want verdict
	}{
		{"pending", pod("", false), nil, keep},
		{"deleted while pending", pod("", true), nil, neverRan},
		{"running", pod("n", false), node("True"), keep},
		{"terminating on a live node", pod("n", true), node("True", off), keep},
		{"terminating on a silent node", pod("n", true), node("Unknown"), keep},
		{"terminating on a node that is off", pod("n", true), node("Unknown", off), outOfService},
		{"running on a node that is off", pod("n", false), node("Unknown", off), keep},
		{"node is gone", pod("n", false), nil, nodeMissing},
	} {
		if got := judge(tc.pod, tc.node); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestSurplus(t *testing.T) {
	var finished []*corev1.Pod
	for i := range 5 {
		p := pod("n", false)
		p.Metadata.Name = fmt.Sprint(i)
		p.Metadata.CreationTimestamp = apitime.Of(time.Unix(int64(100-i), 0))
		p.Status.Phase = "Failed"
		finished = append(finished, p)
	}
	finished[0].Status.Reason = "Evicted"
	got := surplus(finished, 2)
	var names string
	for _, p := range got {
		names += p.Metadata.Name
	}
	if names != "043" {
		t.Errorf("surplus = %s, want 043", names)
	}
	if surplus(finished, 5) != nil || surplus(finished, 0) != nil {
		t.Error("removed pods within the limit")
	}
}

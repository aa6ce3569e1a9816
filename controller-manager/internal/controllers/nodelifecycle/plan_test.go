package nodelifecycle

import (
	"slices"
	"testing"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
)

var now = time.Unix(1_700_000_000, 0)

func node(ready string, more ...*corev1.NodeCondition) *corev1.Node {
	n := &corev1.Node{
		Metadata: &metav1.ObjectMeta{Name: "n1", CreationTimestamp: apitime.Of(now)},
		Spec:     &corev1.NodeSpec{},
		Status:   &corev1.NodeStatus{Conditions: more},
	}
	if ready != "" {
		n.Status.Conditions = append(n.Status.Conditions, &corev1.NodeCondition{Type: "Ready", Status: ready, Reason: "KubeletReady"})
	}
	return n
}

func TestSilence(t *testing.T) {
	conditions, changed := silence(node("True"), now)
	if !changed || len(conditions) != 4 {
		t.Fatalf("conditions: %v", conditions)
	}
	for _, c := range conditions {
		if c.Status != "Unknown" {
			t.Errorf("%s is %s", c.Type, c.Status)
		}
		want := reasonNever
		if c.Type == "Ready" {
			want = reasonStopped
		}
		if c.Reason != want {
			t.Errorf("%s: reason %s, want %s", c.Type, c.Reason, want)
		}
	}
	n := node("")
	n.Status.Conditions = conditions
	if _, changed := silence(n, now.Add(time.Hour)); changed {
		t.Error("a silent node changes again")
	}
}

func TestTaints(t *testing.T) {
	pressure := &corev1.NodeCondition{Type: "DiskPressure", Status: "True"}
	for _, tc := range []struct {
		name  string
		node  *corev1.Node
		evict bool
		want  []string
	}{
		{"ready", node("True"), true, nil},
		{"not ready", node("False"), true, []string{"node.kubernetes.io/not-ready:NoSchedule", "node.kubernetes.io/not-ready:NoExecute"}},
		{"unknown", node("Unknown"), true, []string{"node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"}},
		{"unknown, nowhere to go", node("Unknown"), false, []string{"node.kubernetes.io/unreachable:NoSchedule"}},
		{"new", node(""), true, []string{"node.kubernetes.io/not-ready:NoSchedule", "node.kubernetes.io/not-ready:NoExecute"}},
		{"pressure", node("True", pressure), true, []string{"node.kubernetes.io/disk-pressure:NoSchedule"}},
		{"cordoned", func() *corev1.Node { n := node("True"); n.Spec.Unschedulable = true; return n }(), true,
			[]string{"node.kubernetes.io/unschedulable:NoSchedule"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.node.Spec.Taints = append(tc.node.Spec.Taints, &corev1.Taint{Key: "mine", Effect: "NoSchedule"})
			got, changed := taints(tc.node, tc.node.Status.Conditions, tc.evict, now)
			var names []string
			for _, x := range got {
				if x.Key != "mine" {
					names = append(names, x.Key+":"+x.Effect)
				}
			}
			if !slices.Equal(names, tc.want) || changed != (len(tc.want) > 0) || len(got) != len(tc.want)+1 {
				t.Errorf("taints = %v, changed %v, want %v", names, changed, tc.want)
			}
			tc.node.Spec.Taints = got
			later, changed := taints(tc.node, tc.node.Status.Conditions, tc.evict, now.Add(time.Hour))
			if changed {
				t.Error("the second pass changes again")
			}
			for i := range later {
				if later[i] != got[i] {
					t.Error("a taint that stays was renewed")
				}
			}
		})
	}
}

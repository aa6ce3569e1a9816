package tainteviction

import (
	"testing"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"
)

func TestJudge(t *testing.T) {
	added := time.Unix(1_700_000_000, 0)
	taint := &corev1.Taint{Key: "node.kubernetes.io/unreachable", Effect: "NoExecute", TimeAdded: apitime.Of(added)}
	second := &corev1.Taint{Key: "dedicated", Value: "db", Effect: "NoExecute", TimeAdded: apitime.Of(added)}
	soft := &corev1.Taint{Key: "x", Effect: "NoSchedule"}
	tolerate := func(key, op, value string, seconds ...int64) *corev1.Toleration {
		out := &corev1.Toleration{Key: key, Operator: op, Value: value}
		if len(seconds) > 0 {
			out.TolerationSeconds = proto.Int64(seconds[0])
		}
		return out
	}
	for _, tc := range []struct {
		name        string
		taints      []*corev1.Taint
		tolerations []*corev1.Toleration
		bound       time.Time
		evict       bool
		after       time.Duration
	}{
		{"no taint", nil, nil, added, false, 0},
		{"soft taint", []*corev1.Taint{soft}, nil, added, false, 0},
		{"not tolerated", []*corev1.Taint{taint}, nil, added, true, 0},
		{"tolerated for ever", []*corev1.Taint{taint}, []*corev1.Toleration{tolerate(taint.Key, "Exists", "")}, added, false, 0},
		{"everything tolerated", []*corev1.Taint{taint, second}, []*corev1.Toleration{tolerate("", "Exists", "")}, added, false, 0},
		{"for a while", []*corev1.Taint{taint}, []*corev1.Toleration{tolerate(taint.Key, "Exists", "", 300)}, added, true, 300 * time.Second},
		{"bound later", []*corev1.Taint{taint}, []*corev1.Toleration{tolerate(taint.Key, "Exists", "", 300)}, added.Add(time.Minute), true, 360 * time.Second},
		{"negative", []*corev1.Taint{taint}, []*corev1.Toleration{tolerate(taint.Key, "Exists", "", -5)}, added, true, 0},
		{"the shortest counts", []*corev1.Taint{taint, second},
			[]*corev1.Toleration{tolerate(taint.Key, "Exists", "", 300), tolerate("dedicated", "", "db", 10)}, added, true, 10 * time.Second},
		{"one of two", []*corev1.Taint{taint, second}, []*corev1.Toleration{tolerate(taint.Key, "Exists", "", 300)}, added, true, 0},
		{"wrong value", []*corev1.Taint{second}, []*corev1.Toleration{tolerate("dedicated", "Equal", "web")}, added, true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pod := &corev1.Pod{
				Metadata: &metav1.ObjectMeta{CreationTimestamp: apitime.Of(added.Add(-time.Hour))},
				Spec:     &corev1.PodSpec{Tolerations: tc.tolerations},
				Status:   &corev1.PodStatus{Conditions: []*corev1.PodCondition{{Type: scheduled, Status: "True", LastTransitionTime: apitime.Of(tc.bound)}}},
			}
			v := judge(pod, tc.taints)
			if v.evict != tc.evict {
				t.Fatalf("evict = %v", v.evict)
			}
			if v.evict && !v.at.Equal(added.Add(tc.after)) {
				t.Errorf("after %s, want %s", v.at.Sub(added), tc.after)
			}
		})
	}
}

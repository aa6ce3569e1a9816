package table

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	autoscalingv1 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	storagev1 "github.com/keelson/keelson/proto/gen/keelson/storage/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Of several default classes the newest counts, as where a claim is given one; in a list only.
func TestDefaultStorageClassOfAList(t *testing.T) {
	class := func(name, annotation string, created int64) proto.Message {
		return &storagev1.StorageClass{Metadata: &metav1.ObjectMeta{Name: name, Annotations: map[string]string{annotation: "true"},
			CreationTimestamp: &metav1.Time{Seconds: proto.Int64(created)}}}
	}
	k, _ := schema.Builtin().ByKind("storage.k8s.io", "", "StorageClass")
	got := Lines(k)([]proto.Message{class("old", "storageclass.kubernetes.io/is-default-class", 1),
		class("beta", "storageclass.beta.kubernetes.io/is-default-class", 3),
		class("new", "storageclass.kubernetes.io/is-default-class", 2), class("other", "x", 4)})
	if diff := cmp.Diff([]Line{{Index: 0}, {Index: 1, Name: "beta (default)"}, {Index: 2}, {Index: 3}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestFlowSchemasAreListedAsTheyAreAsked(t *testing.T) {
	flow := func(name string, precedence int32) proto.Message {
		return &flowcontrolv1.FlowSchema{Metadata: &metav1.ObjectMeta{Name: name}, Spec: &flowcontrolv1.FlowSchemaSpec{MatchingPrecedence: precedence}}
	}
	k, _ := schema.Builtin().ByKind("flowcontrol.apiserver.k8s.io", "", "FlowSchema")
	got := Lines(k)([]proto.Message{flow("a", 9), flow("b", 1), flow("c", 1)})
	if diff := cmp.Diff([]Line{{Index: 1}, {Index: 2}, {Index: 0}}, got); diff != "" {
		t.Error(diff)
	}
	if pods, _ := schema.Builtin().ByKind("", "", "Pod"); Lines(pods) != nil {
		t.Error("pods are listed as they come")
	}
}

func TestScale(t *testing.T) {
	k, ok := schema.Builtin().ByKind("autoscaling", "v1", "Scale")
	if !ok {
		t.Fatal("no such kind")
	}
	obj := &autoscalingv1.Scale{Metadata: &metav1.ObjectMeta{Name: "x", CreationTimestamp: &metav1.Time{Seconds: proto.Int64(8639400)}},
		Spec: &autoscalingv1.ScaleSpec{Replicas: 3}, Status: &autoscalingv1.ScaleStatus{Replicas: 2}}
	if diff := cmp.Diff([]any{"x", int64(3), int64(2), "10m"}, Cells(k, obj, now)); diff != "" {
		t.Error(diff)
	}
	if c := Columns(k); c[1].Name != "Desired" || c[1].Type != "integer" || c[2].Name != "Available" {
		t.Errorf("columns: %+v", c)
	}
}

func TestConditions(t *testing.T) {
	for phase, want := range map[string]int{"Running": 0, "Succeeded": 1, "Failed": 1} {
		got := Conditions(&corev1.Pod{Status: &corev1.PodStatus{Phase: phase}})
		if len(got) != want || want == 1 && (got[0].Type != "Completed" || got[0].Reason != phase) {
			t.Errorf("%s: %+v", phase, got)
		}
	}
}

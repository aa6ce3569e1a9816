package replicaset

import (
	"fmt"
	"testing"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/podset"
	"github.com/keelson/keelson/controller-manager/internal/ranking"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

var now = time.Unix(1_700_000_000, 0)

func set(n int32) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "web", Uid: "rs", Generation: 3},
		Spec: &appsv1.ReplicaSetSpec{
			Replicas: proto.Int32(n),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: &corev1.PodTemplateSpec{Metadata: &metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}, Spec: &corev1.PodSpec{}},
		},
	}
}

type option func(*corev1.Pod)

// pod is a running, ready pod of the set on node n1, an hour old.
func pod(name string, options ...option) *corev1.Pod {
	p := &corev1.Pod{
		Metadata: &metav1.ObjectMeta{
			Namespace: "default", Name: name, Uid: name, Labels: map[string]string{"app": "web"},
			CreationTimestamp: apitime.Of(now.Add(-time.Hour)),
			OwnerReferences:   []*metav1.OwnerReference{owner.NewControllerRef("apps/v1", "ReplicaSet", set(0).GetMetadata())},
		},
		Spec: &corev1.PodSpec{NodeName: "n1"},
		Status: &corev1.PodStatus{Phase: "Running", Conditions: []*corev1.PodCondition{
			{Type: "Ready", Status: "True", LastTransitionTime: apitime.Of(now.Add(-time.Hour))},
		}},
	}
	for _, o := range options {
		o(p)
	}
	return p
}

func unassigned(p *corev1.Pod)  { p.Spec.NodeName, p.Status = "", &corev1.PodStatus{Phase: "Pending"} }
func pending(p *corev1.Pod)     { p.Status = &corev1.PodStatus{Phase: "Pending"} }
func unready(p *corev1.Pod)     { p.Status.Conditions[0].Status = "False" }
func terminating(p *corev1.Pod) { p.Metadata.DeletionTimestamp = apitime.Of(now) }
func finished(p *corev1.Pod)    { p.Status.Phase = "Failed" }
func orphan(p *corev1.Pod)      { p.Metadata.OwnerReferences = nil }
func stranger(p *corev1.Pod)    { p.Metadata.OwnerReferences[0].Uid = "other" }
func relabelled(p *corev1.Pod)  { p.Metadata.Labels = map[string]string{"app": "debug"} }
func cheap(p *corev1.Pod) {
	p.Metadata.Annotations = map[string]string{"controller.kubernetes.io/pod-deletion-cost": "-10"}
}
func onNode(n string) option { return func(p *corev1.Pod) { p.Spec.NodeName = n } }
func restarted(p *corev1.Pod) {
	p.Status.ContainerStatuses = []*corev1.ContainerStatus{{RestartCount: 4}}
}
func readySince(d time.Duration) option {
	return func(p *corev1.Pod) { p.Status.Conditions[0].LastTransitionTime = apitime.Of(now.Add(-d)) }
}
func aged(d time.Duration) option {
	return func(p *corev1.Pod) { p.Metadata.CreationTimestamp = apitime.Of(now.Add(-d)) }
}

func TestPlan(t *testing.T) {
	for _, tc := range []struct {
		name                           string
		replicas                       int32
		pods                           []*corev1.Pod
		create, remove, adopt, release int
	}{
		{"nothing there", 3, nil, 3, 0, 0, 0},
		{"enough", 2, []*corev1.Pod{pod("a"), pod("b")}, 0, 0, 0, 0},
		{"too many", 1, []*corev1.Pod{pod("a"), pod("b"), pod("c")}, 0, 2, 0, 0},
		{"terminating and finished ones do not count", 3, []*corev1.Pod{pod("a"), pod("b", terminating), pod("c", finished)}, 2, 0, 0, 0},
		{"an orphan is adopted before anything is created", 2, []*corev1.Pod{pod("a", orphan)}, 0, 0, 1, 0},
		{"an orphan of other labels stays alone", 1, []*corev1.Pod{pod("a", orphan, relabelled)}, 1, 0, 0, 0},
		{"a terminating orphan stays alone", 1, []*corev1.Pod{pod("a", orphan, terminating)}, 1, 0, 0, 0},
		{"another's pod", 1, []*corev1.Pod{pod("a", stranger)}, 1, 0, 0, 0},
		{"a relabelled pod is released", 1, []*corev1.Pod{pod("a", relabelled)}, 0, 0, 0, 1},
		{"bounded", 5000, nil, podset.Burst, 0, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := set(tc.replicas)
			sel, err := selector.Compile(s.GetSpec().GetSelector())
			if err != nil {
				t.Fatal(err)
			}
			d := plan(state{set: s, pods: tc.pods, now: now}, sel)
			if d.create != tc.create || len(d.remove) != tc.remove || len(d.claim.Adopt) != tc.adopt || len(d.claim.Release) != tc.release {
				t.Errorf("create %d, remove %d, adopt %d, release %d", d.create, len(d.remove), len(d.claim.Adopt), len(d.claim.Release))
			}
		})
	}
	deleted := set(3)
	deleted.Metadata.DeletionTimestamp = apitime.Of(now)
	sel, _ := selector.Compile(deleted.GetSpec().GetSelector())
	if d := plan(state{set: deleted, pods: []*corev1.Pod{pod("a", orphan)}, now: now}, sel); d.create+len(d.claim.Adopt) != 0 {
		t.Error("a set that is being deleted goes on working")
	}
}

// TestRank says for pairs which pod goes first.
func TestRank(t *testing.T) {
	related := map[string]int{"n1": 3, "n2": 1}
	for _, tc := range []struct {
		name        string
		first, next *corev1.Pod
	}{
		{"unassigned", pod("z", unassigned), pod("a", pending)},
		{"pending", pod("z", pending), pod("a", unready)},
		{"not ready", pod("z", unready), pod("a")},
		{"cheap", pod("z", cheap), pod("a")},
		{"cheap, but ready", pod("z", unready), pod("a", cheap)},
		{"on a crowded node", pod("z"), pod("a", onNode("n2"))},
		{"ready for a shorter time", pod("z", readySince(time.Minute)), pod("a")},
		{"more restarts", pod("z", restarted), pod("a")},
		{"younger", pod("z", aged(time.Minute)), pod("a")},
		{"about the same age", pod("a", aged(3000*time.Second)), pod("z", aged(3600*time.Second))},
	} {
		for _, order := range [][]*corev1.Pod{{tc.first, tc.next}, {tc.next, tc.first}} {
			if got := ranking.Rank(order, related, now); got[0] != tc.first {
				t.Errorf("%s: %s goes first", tc.name, got[0].GetMetadata().GetName())
			}
		}
	}
}

func TestStatus(t *testing.T) {
	s := set(4)
	s.Spec.MinReadySeconds = 60
	s.Spec.Template.Metadata.Labels["tier"] = "front"
	full := func(p *corev1.Pod) { p.Metadata.Labels = map[string]string{"app": "web", "tier": "front"} }
	pods := []*corev1.Pod{pod("a", full), pod("b", readySince(20*time.Second)), pod("c", unready), pod("d", terminating)}
	got, next := status(s, pods, nil, now)
	if got.Replicas != 3 || got.FullyLabeledReplicas != 1 || got.ReadyReplicas != 2 || got.AvailableReplicas != 1 ||
		got.GetTerminatingReplicas() != 1 || got.ObservedGeneration != 3 {
		t.Errorf("status: %v", got)
	}
	if next != 40*time.Second {
		t.Errorf("looks again after %s", next)
	}
	s.Status, _ = status(s, nil, &podset.Failure{Reason: "FailedCreate", Message: "quota"}, now)
	if c := s.Status.Conditions; len(c) != 1 || c[0].Type != "ReplicaFailure" || c[0].Message != "quota" {
		t.Fatalf("conditions: %v", c)
	}
	if again, _ := status(s, nil, &podset.Failure{Reason: "FailedCreate", Message: "quota, another name"}, now.Add(time.Hour)); !proto.Equal(again, s.Status) {
		t.Error("the same failure writes the status again")
	}
	if healed, _ := status(s, nil, nil, now); len(healed.Conditions) != 0 {
		t.Errorf("healed: %v", healed.Conditions)
	}
}

func TestNewPod(t *testing.T) {
	s := set(1)
	p := podset.NewPod(s, s.GetSpec().GetTemplate())
	if p.Metadata.GenerateName != "web-" || p.Metadata.Labels["app"] != "web" || owner.ControllerUID(p.Metadata) != "rs" {
		t.Errorf("pod: %v", p)
	}
	p.Metadata.Labels["app"] = "changed"
	if s.Spec.Template.Metadata.Labels["app"] != "web" {
		t.Error("the pod shares the template's labels")
	}
	if fmt.Sprint(p.Metadata.OwnerReferences[0].GetBlockOwnerDeletion(), p.Metadata.OwnerReferences[0].GetController()) != "true true" {
		t.Errorf("owner: %v", p.Metadata.OwnerReferences)
	}
}

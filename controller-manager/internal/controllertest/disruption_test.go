package controllertest

import (
	"testing"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

func budget(name, app string, change func(*policyv1.PodDisruptionBudgetSpec)) *policyv1.PodDisruptionBudget {
	b := &policyv1.PodDisruptionBudget{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:     &policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
	}
	change(b.Spec)
	return b
}

// allows waits for a budget's numbers: expected pods, desired and current healthy ones, allowed disruptions.
func allows(expected, desired, current, allowed int32, reason string) func(*policyv1.PodDisruptionBudget) bool {
	return func(b *policyv1.PodDisruptionBudget) bool {
		s := b.GetStatus()
		return s.GetExpectedPods() == expected && s.GetDesiredHealthy() == desired && s.GetCurrentHealthy() == current &&
			s.GetDisruptionsAllowed() == allowed && s.GetObservedGeneration() == b.GetMetadata().GetGeneration() &&
			len(s.GetConditions()) == 1 && s.GetConditions()[0].GetReason() == reason
	}
}

func TestDisruptionBudgets(t *testing.T) {
	c := Start(t, nil, "deployment", "replicaset", "disruption")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	apitest.Create(t, c.Server, deployment("web", 5))
	apitest.Await(t, c.Server, "default", "web", rolledOut)
	percent := func(s string) *metav1.IntOrString { return &metav1.IntOrString{Type: 1, StrVal: s} }
	apitest.Create(t, c.Server, budget("most", "web", func(s *policyv1.PodDisruptionBudgetSpec) { s.MaxUnavailable = &metav1.IntOrString{IntVal: 2} }))
	apitest.Create(t, c.Server, budget("half", "web", func(s *policyv1.PodDisruptionBudgetSpec) { s.MinAvailable = percent("50%") }))
	apitest.Create(t, c.Server, budget("all", "web", func(s *policyv1.PodDisruptionBudgetSpec) { s.MinAvailable = &metav1.IntOrString{IntVal: 5} }))
	apitest.Create(t, c.Server, budget("none", "nobody", func(s *policyv1.PodDisruptionBudgetSpec) { s.MaxUnavailable = percent("10%") }))
	apitest.Await(t, c.Server, "default", "most", allows(5, 3, 5, 2, "SufficientPods"))
	apitest.Await(t, c.Server, "default", "half", allows(5, 3, 5, 2, "SufficientPods"))
	apitest.Await(t, c.Server, "default", "all", allows(5, 5, 5, 0, "InsufficientPods"))
	apitest.Await(t, c.Server, "default", "none", allows(0, 0, 0, 0, "InsufficientPods"))
	c.change("web", func(d *appsv1.Deployment) { d.Spec.Replicas = proto.Int32(10) })
	apitest.Await(t, c.Server, "default", "most", allows(10, 8, 10, 2, "SufficientPods"))
	apitest.Await(t, c.Server, "default", "all", allows(10, 5, 10, 5, "SufficientPods"))

	// A pod of nobody: only a number can be kept.
	apitest.Create(t, c.Server, &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "lone", Labels: map[string]string{"app": "lone"}},
		Spec:     &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: "i"}}},
	})
	apitest.Create(t, c.Server, budget("lone", "lone", func(s *policyv1.PodDisruptionBudgetSpec) { s.MinAvailable = &metav1.IntOrString{IntVal: 1} }))
	apitest.Await(t, c.Server, "default", "lone", allows(1, 1, 1, 0, "InsufficientPods"))
	// A pod whose controller does not exist: nothing is allowed, and the reason is told.
	apitest.Create(t, c.Server, &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "lost", Labels: map[string]string{"app": "lost"}, OwnerReferences: []*metav1.OwnerReference{
			{ApiVersion: "apps/v1", Kind: "ReplicaSet", Name: "gone", Uid: "gone", Controller: proto.Bool(true)},
		}},
		Spec: &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: "i"}}},
	})
	apitest.Create(t, c.Server, budget("lost", "lost", func(s *policyv1.PodDisruptionBudgetSpec) { s.MaxUnavailable = &metav1.IntOrString{IntVal: 1} }))
	b := apitest.Await(t, c.Server, "default", "lost", func(b *policyv1.PodDisruptionBudget) bool { return len(b.GetStatus().GetConditions()) == 1 })
	if cond := b.GetStatus().GetConditions()[0]; cond.GetReason() != "SyncFailed" || cond.GetMessage() != `found no controllers for pod "lost"` {
		t.Errorf("condition %v", cond)
	}
	if err := client.For[*policyv1.PodDisruptionBudget](c.Conn).Delete(t.Context(), "default", "most"); err != nil {
		t.Fatal(err)
	}
}

package pipeline_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// serving creates a pod that runs, on a node, ready or not.
func (h *harness) serving(name string, ready bool) {
	h.Helper()
	p := pod(name)
	p.Metadata.Labels = map[string]string{"app": "a"}
	p.Spec.NodeName = "n"
	h.mustCreate(ref("", "pods", "default", ""), p)
	p.Status = &corev1.PodStatus{Phase: "Running", Conditions: []*corev1.PodCondition{{Type: "Ready", Status: map[bool]string{true: "True", false: "False"}[ready]}}}
	if _, err := h.update(sub(ref("", "pods", "default", name), "status"), p); err != nil {
		h.Fatal(err)
	}
}

func (h *harness) budget(name string, spec *policyv1.PodDisruptionBudgetSpec, status *policyv1.PodDisruptionBudgetStatus) {
	h.Helper()
	if spec == nil {
		spec = &policyv1.PodDisruptionBudgetSpec{}
	}
	spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}
	b := &policyv1.PodDisruptionBudget{Metadata: &metav1.ObjectMeta{Name: name}, Spec: spec}
	b = into(h.T, h.mustCreate(ref("policy", "poddisruptionbudgets", "default", ""), b), &policyv1.PodDisruptionBudget{})
	if status == nil {
		return
	}
	b.Status = status
	if _, err := h.update(sub(ref("policy", "poddisruptionbudgets", "default", name), "status"), b); err != nil {
		h.Fatal(err)
	}
}

func (h *harness) evict(name string, dryRun bool) error {
	e := &policyv1.Eviction{Metadata: &metav1.ObjectMeta{Name: name, Namespace: "default"}}
	b, err := proto.Marshal(e)
	if err != nil {
		return err
	}
	_, err = h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: sub(ref("", "pods", "default", name), "eviction"), Object: &resourcev1.Object{Raw: b},
		Options: &resourcev1.WriteOptions{DryRun: dryRun}})
	return err
}

func cause(err error) string {
	var s *apierrors.StatusError
	if !errors.As(err, &s) {
		return fmt.Sprint(err)
	}
	for _, c := range s.Status.GetDetails().GetCauses() {
		return c.Reason + ": " + c.Message
	}
	return s.Status.GetReason()
}

func TestEvictionsKeepTheBudget(t *testing.T) {
	h := start(t)
	const pods = 12
	for i := range pods {
		h.serving(fmt.Sprintf("p%d", i), true)
	}
	h.budget("b", nil, &policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DisruptionsAllowed: 3, CurrentHealthy: pods, DesiredHealthy: pods - 3})
	if err := h.evict("p0", true); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	evicted := 0
	for i := range pods {
		wg.Go(func() {
			err := h.evict(fmt.Sprintf("p%d", i), false)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				evicted++
			} else if !apierrors.IsTooManyRequests(err) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	it, err := h.get(ref("policy", "poddisruptionbudgets", "default", "b"))
	if err != nil {
		t.Fatal(err)
	}
	s := into(t, it, &policyv1.PodDisruptionBudget{}).GetStatus()
	if evicted != 3 || s.DisruptionsAllowed != 0 || len(s.DisruptedPods) != 3 {
		t.Errorf("%d pods evicted, %d disruptions left, %d noted", evicted, s.DisruptionsAllowed, len(s.DisruptedPods))
	}
	gone := 0
	for i := range pods {
		it, err := h.get(ref("", "pods", "default", fmt.Sprintf("p%d", i)))
		if err != nil || into(t, it, &corev1.Pod{}).Metadata.DeletionTimestamp != nil {
			gone++
		}
	}
	if gone != 3 {
		t.Errorf("%d pods are gone or going", gone)
	}
}

func TestEvictionRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		ready  bool
		spec   *policyv1.PodDisruptionBudgetSpec
		status *policyv1.PodDisruptionBudgetStatus
		want   string // "" is an eviction
	}{
		{"not processed", true, nil, nil, "DisruptionBudget: The disruption budget b is still being processed by the server."},
		{"none left", true, nil, &policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, CurrentHealthy: 1, DesiredHealthy: 2},
			"DisruptionBudget: The disruption budget b needs 2 healthy pods and has 1 currently"},
		{"unhealthy while enough are", false, nil, &policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, CurrentHealthy: 2, DesiredHealthy: 2}, ""},
		{"unhealthy while too few are", false, nil, &policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, CurrentHealthy: 1, DesiredHealthy: 2},
			"DisruptionBudget: The disruption budget b needs 2 healthy pods and has 1 currently"},
		{"unhealthy always", false, &policyv1.PodDisruptionBudgetSpec{UnhealthyPodEvictionPolicy: proto.String("AlwaysAllow")},
			&policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, CurrentHealthy: 1, DesiredHealthy: 2}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t)
			h.serving("p", c.ready)
			h.budget("b", c.spec, c.status)
			err := h.evict("p", false)
			if got := cause(err); c.want != "" && got != c.want || c.want == "" && err != nil {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestEvictionWithTwoBudgets(t *testing.T) {
	h := start(t)
	h.serving("p", true)
	h.budget("a", nil, nil)
	h.budget("b", nil, nil)
	wantErr(t, h.evict("p", false), "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
	h.mustCreate(ref("", "pods", "default", ""), func() *corev1.Pod {
		p := pod("pending")
		p.Metadata.Labels = map[string]string{"app": "a"}
		return p
	}())
	if err := h.evict("pending", false); err != nil {
		t.Errorf("a pod that does not run yet disrupts nobody: %v", err)
	}
}

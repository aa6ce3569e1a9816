package controllertest

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

// active counts the pods of an application that are not being deleted.
func active(t *testing.T, c *Cluster, app string) int {
	t.Helper()
	n := 0
	for _, pod := range list[*corev1.Pod](t, c, client.ListOptions{Namespace: "default", LabelSelector: "app=" + app}) {
		if pod.GetMetadata().GetDeletionTimestamp() == nil {
			n++
		}
	}
	return n
}

// TestCutConnections breaks every connection again and again while a Deployment is scaled: answers are lost, and still
// there is no pod too many or too few in the end, nor a second ReplicaSet.
func TestCutConnections(t *testing.T) {
	c := Start(t, nil, "deployment", "replicaset", "garbagecollector")
	v := c.View()
	apitest.Create(t, c.Server, deployment("web", 10))
	rnd := rand.New(rand.NewSource(1))
	for round := range 12 {
		n := int32(rnd.Intn(200))
		c.change("web", func(d *appsv1.Deployment) { d.Spec.Replicas = proto.Int32(n) })
		if round%3 == 2 {
			c.Restart(t)
		} else {
			c.Cut()
		}
		v.Await(t, fmt.Sprintf("round %d: %d replicas", round, n), func() bool {
			d, ok := v.Deployments.Get("default", "web")
			return ok && d.GetSpec().GetReplicas() == n && d.GetStatus().GetReplicas() == n && v.Active("web") == int(n) &&
				len(v.Sets.List()) > 0 && d.GetStatus().GetObservedGeneration() >= d.GetMetadata().GetGeneration()
		})
		if sets := v.Sets.List(); len(sets) != 1 {
			t.Fatalf("round %d: %d replica sets", round, len(sets))
		}
	}
}

// TestRestartInRollout stops the controllers in the middle of rollouts and starts others.
func TestRestartInRollout(t *testing.T) {
	c := New(t)
	c.Nodes("n1", "n2")
	c.RunPods(nil, "n1", "n2")
	stop := c.Run(nil, "*")
	apitest.Create(t, c.Server, deployment("web", 30))
	for round := range 5 {
		c.change("web", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = fmt.Sprintf("v%d", round+2) })
		apitest.Await(t, c.Server, "default", "web", func(d *appsv1.Deployment) bool { return d.GetStatus().GetUpdatedReplicas() > 0 })
		stop()
		stop = c.Run(nil, "*")
	}
	d := apitest.Await(t, c.Server, "default", "web", rolledOut)
	if got := active(t, c, "web"); got != 30 {
		t.Errorf("%d pods", got)
	}
	if got := d.GetSpec().GetTemplate().GetSpec().GetContainers()[0].GetImage(); got != "v6" {
		t.Errorf("rolled out %s", got)
	}
}

// TestPodsAreReplaced deletes pods behind the controllers' back.
func TestPodsAreReplaced(t *testing.T) {
	c := Start(t, nil, "deployment", "replicaset")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	apitest.Create(t, c.Server, deployment("web", 8))
	apitest.Await(t, c.Server, "default", "web", rolledOut)
	pods := list[*corev1.Pod](t, c, client.ListOptions{Namespace: "default"})
	for _, pod := range pods[:4] {
		if err := client.For[*corev1.Pod](c.Conn).Delete(t.Context(), "default", pod.GetMetadata().GetName()); err != nil {
			t.Fatal(err)
		}
		apitest.AwaitGone[*corev1.Pod](t, c.Server, "default", pod.GetMetadata().GetName())
	}
	// The status may still tell of the pods that are gone.
	v := c.View()
	v.Await(t, "eight pods", func() bool { return v.Active("web") == 8 })
}

func TestAdoptionAndRelease(t *testing.T) {
	c := Start(t, nil, "replicaset")
	pod := apitest.Create(t, c.Server, &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "mine", Labels: map[string]string{"app": "web"}},
		Spec:     &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: "i"}}},
	})
	set := apitest.Create(t, c.Server, &appsv1.ReplicaSet{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec: &appsv1.ReplicaSetSpec{
			Replicas: proto.Int32(2), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, Template: Template("i"),
		},
	})
	apitest.Await(t, c.Server, "default", "mine", func(p *corev1.Pod) bool {
		refs := p.GetMetadata().GetOwnerReferences()
		return len(refs) == 1 && refs[0].GetUid() == set.GetMetadata().GetUid() && refs[0].GetController()
	})
	apitest.Await(t, c.Server, "default", "web", func(rs *appsv1.ReplicaSet) bool { return rs.GetStatus().GetReplicas() == 2 })
	if got := active(t, c, "web"); got != 2 {
		t.Errorf("%d pods: the adopted one does not count", got)
	}
	// Taken out of the selection it is let go, and replaced.
	if _, err := client.For[*corev1.Pod](c.Conn).Patch(t.Context(), "default", pod.GetMetadata().GetName(), client.MergePatch, []byte(`{"metadata":{"labels":{"app":"debug"}}}`)); err != nil {
		t.Fatal(err)
	}
	apitest.Await(t, c.Server, "default", "mine", func(p *corev1.Pod) bool { return len(p.GetMetadata().GetOwnerReferences()) == 0 })
	v := c.View()
	v.Await(t, "two pods of the set", func() bool { return v.Active("web") == 2 })
}

// TestRefusedPods is a template that the API refuses: the reason is where users look.
func TestRefusedPods(t *testing.T) {
	c := New(t, func(cfg *pipeline.Config) { cfg.WithoutAdmission = nil })
	c.Run(nil, "deployment", "replicaset")
	d := deployment("web", 3)
	d.Spec.Template.Spec.ServiceAccountName = "missing"
	apitest.Create(t, c.Server, d)
	told := func(reason, message string) bool {
		return reason == "FailedCreate" && strings.Contains(message, "missing")
	}
	apitest.Await(t, c.Server, "default", "web", func(d *appsv1.Deployment) bool {
		for _, cond := range d.GetStatus().GetConditions() {
			if cond.GetType() == "ReplicaFailure" && cond.GetStatus() == "True" {
				return told(cond.GetReason(), cond.GetMessage())
			}
		}
		return false
	})
	apitest.Create(t, c.Server, &corev1.ServiceAccount{Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "missing"}})
	apitest.Await(t, c.Server, "default", "web", func(d *appsv1.Deployment) bool { return d.GetStatus().GetReplicas() == 3 })
}

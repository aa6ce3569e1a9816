package controllertest

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

func deployment(name string, n int32) *appsv1.Deployment {
	template := Template("v1")
	template.Metadata.Labels["app"] = name
	return &appsv1.Deployment{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: &appsv1.DeploymentSpec{
			Replicas: proto.Int32(n),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: template,
		},
	}
}

func rolledOut(d *appsv1.Deployment) bool {
	s, n := d.GetStatus(), d.GetSpec().GetReplicas()
	return s.GetObservedGeneration() >= d.GetMetadata().GetGeneration() && s.GetUpdatedReplicas() == n &&
		s.GetReplicas() == n && s.GetAvailableReplicas() == n
}

func (c *Cluster) change(name string, change func(*appsv1.Deployment)) {
	c.t.Helper()
	c.Retry(func(ctx context.Context) error {
		deployments := client.For[*appsv1.Deployment](c.Conn)
		d, err := deployments.Get(ctx, "default", name)
		if err != nil {
			return err
		}
		change(d)
		_, err = deployments.Update(ctx, d)
		return err
	})
}

func list[T client.Object](t *testing.T, c *Cluster, o client.ListOptions) []T {
	t.Helper()
	out, _, err := client.For[T](c.Conn).List(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRollout(t *testing.T) {
	c := Start(t, nil, "deployment", "replicaset", "endpointslice", "endpoints")
	c.Nodes("n1", "n2", "n3")
	c.RunPods(nil, "n1", "n2", "n3")
	apitest.Create(t, c.Server, &corev1.Service{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec: &corev1.ServiceSpec{
			ClusterIP: "None", Selector: map[string]string{"app": "web"},
			Ports: []*corev1.ServicePort{{Name: "http", Port: 80, TargetPort: &metav1.IntOrString{IntVal: 8080}}},
		},
	})
	apitest.Create(t, c.Server, deployment("web", 5))
	apitest.Await(t, c.Server, "default", "web", rolledOut)
	apitest.Await(t, c.Server, "default", "web", func(e *corev1.Endpoints) bool {
		return len(e.GetSubsets()) == 1 && len(e.GetSubsets()[0].GetAddresses()) == 5
	})
	c.change("web", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "v2" })
	d := apitest.Await(t, c.Server, "default", "web", rolledOut)
	if got := d.GetMetadata().GetAnnotations()["deployment.kubernetes.io/revision"]; got != "2" {
		t.Errorf("revision %s", got)
	}
	sets := list[*appsv1.ReplicaSet](t, c, client.ListOptions{Namespace: "default"})
	if len(sets) != 2 {
		t.Fatalf("%d replica sets", len(sets))
	}
	for _, rs := range sets {
		want := int32(0)
		if rs.GetSpec().GetTemplate().GetSpec().GetContainers()[0].GetImage() == "v2" {
			want = 5
		}
		if rs.GetSpec().GetReplicas() != want {
			t.Errorf("%s has %d replicas, want %d", rs.GetMetadata().GetName(), rs.GetSpec().GetReplicas(), want)
		}
	}
	apitest.Await(t, c.Server, "default", "web", func(e *corev1.Endpoints) bool {
		return len(e.GetSubsets()) == 1 && len(e.GetSubsets()[0].GetAddresses()) == 5
	})
	slices := list[*discoveryv1.EndpointSlice](t, c, client.ListOptions{Namespace: "default", LabelSelector: "kubernetes.io/service-name=web"})
	if len(slices) != 1 {
		t.Fatalf("slices: %v", slices)
	}
	apitest.Await(t, c.Server, "default", slices[0].GetMetadata().GetName(), func(s *discoveryv1.EndpointSlice) bool { return len(s.GetEndpoints()) == 5 })
	events := list[*corev1.Event](t, c, client.ListOptions{Namespace: "default", FieldSelector: "reason=ScalingReplicaSet"})
	if len(events) == 0 {
		t.Error("no ScalingReplicaSet event")
	}
}

// TestRevisionNeverGoesBack: a status write carries annotations, so one that is made from what was read before the
// revision was written would take the revision back for a moment.
func TestRevisionNeverGoesBack(t *testing.T) {
	c := Start(t, nil, "deployment", "replicaset")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	w, err := client.For[*appsv1.Deployment](c.Conn).Watch(t.Context(), client.WatchOptions{Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	apitest.Create(t, c.Server, deployment("web", 3))
	apitest.Await(t, c.Server, "default", "web", rolledOut)
	c.change("web", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "v2" })
	end := client.Revision(apitest.Await(t, c.Server, "default", "web", rolledOut))
	last := ""
	for {
		events, err := w.Next()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			m := e.Object.GetMetadata()
			if got := m.GetAnnotations()["deployment.kubernetes.io/revision"]; got < last {
				t.Errorf("generation %d, version %s: revision %q after %q", m.GetGeneration(), m.GetResourceVersion(), got, last)
			} else {
				last = got
			}
			if client.Revision(e.Object) >= end {
				if last != "2" {
					t.Errorf("rolled out with revision %q", last)
				}
				return
			}
		}
	}
}

// TestManyReplicas is the shape of the benchmark: one large Deployment, and many small ones.
func TestManyReplicas(t *testing.T) {
	c := Start(t, nil, "*")
	c.Nodes("n1", "n2")
	c.RunPods(nil, "n1", "n2")
	begin := time.Now()
	apitest.Create(t, c.Server, deployment("large", 1000))
	apitest.Await(t, c.Server, "default", "large", rolledOut)
	t.Logf("1,000 replicas: %s", time.Since(begin))
	begin = time.Now()
	for i := range 200 {
		apitest.Create(t, c.Server, deployment(fmt.Sprintf("small-%d", i), 5))
	}
	for i := range 200 {
		apitest.Await(t, c.Server, "default", fmt.Sprintf("small-%d", i), rolledOut)
	}
	t.Logf("200 x 5: %s", time.Since(begin))
	if n := len(list[*corev1.Pod](t, c, client.ListOptions{Namespace: "default"})); n != 2000 {
		t.Errorf("%d pods, want 2000", n)
	}
	begin = time.Now()
	c.change("large", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "v2" })
	d := apitest.Await(t, c.Server, "default", "large", rolledOut)
	if got := d.GetSpec().GetTemplate().GetSpec().GetContainers()[0].GetImage(); got != "v2" {
		t.Errorf("rolled out %s", got)
	}
	for _, pod := range list[*corev1.Pod](t, c, client.ListOptions{Namespace: "default", LabelSelector: "app=large"}) {
		if pod.GetSpec().GetContainers()[0].GetImage() != "v2" && pod.GetMetadata().GetDeletionTimestamp() == nil {
			t.Errorf("%s is left", pod.GetMetadata().GetName())
		}
	}
	t.Logf("rolling update of 1,000: %s", time.Since(begin))
}

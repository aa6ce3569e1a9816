package controllertest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
)

func daemonSet(name string, change func(*appsv1.DaemonSetSpec)) *appsv1.DaemonSet {
	template := Template("v1")
	template.Metadata.Labels["app"] = name
	d := &appsv1.DaemonSet{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:     &appsv1.DaemonSetSpec{Template: template, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}},
	}
	if change != nil {
		change(d.Spec)
	}
	return d
}

// everywhere is what `kubectl rollout status` waits for.
func everywhere(n int32) func(*appsv1.DaemonSet) bool {
	return func(d *appsv1.DaemonSet) bool {
		s := d.GetStatus()
		return s.GetObservedGeneration() == d.GetMetadata().GetGeneration() && s.GetDesiredNumberScheduled() == n && s.GetCurrentNumberScheduled() == n &&
			s.GetUpdatedNumberScheduled() == n && s.GetNumberAvailable() == n && s.GetNumberReady() == n && s.GetNumberUnavailable() == 0 && s.GetNumberMisscheduled() == 0
	}
}

func (c *Cluster) changeDaemons(name string, change func(*appsv1.DaemonSet)) {
	c.t.Helper()
	c.Retry(func(ctx context.Context) error {
		sets := client.For[*appsv1.DaemonSet](c.Conn)
		d, err := sets.Get(ctx, "default", name)
		if err != nil {
			return err
		}
		change(d)
		_, err = sets.Update(ctx, d)
		return err
	})
}

func (c *Cluster) changeNode(name string, change func(*corev1.Node)) {
	c.t.Helper()
	c.Retry(func(ctx context.Context) error {
		nodes := client.For[*corev1.Node](c.Conn)
		n, err := nodes.Get(ctx, "", name)
		if err != nil {
			return err
		}
		change(n)
		_, err = nodes.Update(ctx, n)
		return err
	})
}

// places are the nodes of an application's pods and what each runs: "n1=v1".
func places(t *testing.T, c *Cluster, app string) []string {
	t.Helper()
	var out []string
	for _, p := range list[*corev1.Pod](t, c, client.ListOptions{Namespace: "default", LabelSelector: "app=" + app}) {
		out = append(out, p.GetSpec().GetNodeName()+"="+p.GetSpec().GetContainers()[0].GetImage())
	}
	slices.Sort(out)
	return out
}

func TestDaemonSet(t *testing.T) {
	c := Start(t, nil, "daemonset")
	c.Nodes("n1", "n2", "n3")
	c.changeNode("n3", func(n *corev1.Node) { n.Metadata.Labels = map[string]string{"disk": "ssd"} })
	c.RunPods(nil)
	apitest.Create(t, c.Server, daemonSet("agent", nil))
	apitest.Await(t, c.Server, "default", "agent", everywhere(3))
	want(t, places(t, c, "agent"), "n1=v1", "n2=v1", "n3=v1")

	// A node that comes, one that nothing may run on any more, one that only new pods keep off, and one that goes.
	c.Nodes("n4")
	apitest.Await(t, c.Server, "default", "agent", everywhere(4))
	c.changeNode("n1", func(n *corev1.Node) {
		n.Spec = &corev1.NodeSpec{Taints: []*corev1.Taint{{Key: "broken", Effect: "NoExecute"}}}
	})
	c.changeNode("n2", func(n *corev1.Node) {
		n.Spec = &corev1.NodeSpec{Taints: []*corev1.Taint{{Key: "mine", Effect: "NoSchedule"}}}
	})
	c.changeNode("n3", func(n *corev1.Node) {
		n.Spec = &corev1.NodeSpec{Unschedulable: true, Taints: []*corev1.Taint{{Key: "node.kubernetes.io/unschedulable", Effect: "NoSchedule"}}}
	})
	apitest.Await(t, c.Server, "default", "agent", func(d *appsv1.DaemonSet) bool {
		return d.GetStatus().GetDesiredNumberScheduled() == 2 && d.GetStatus().GetNumberMisscheduled() == 1 && d.GetStatus().GetNumberReady() == 2
	})
	want(t, places(t, c, "agent"), "n2=v1", "n3=v1", "n4=v1")
	c.changeDaemons("agent", func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.NodeSelector = map[string]string{"disk": "ssd"} })
	apitest.Await(t, c.Server, "default", "agent", everywhere(1))
	want(t, places(t, c, "agent"), "n3=v1")
}

func TestDaemonSetRollout(t *testing.T) {
	for _, tc := range []struct {
		name               string
		unavailable, surge int32
	}{{"one by one", 1, 0}, {"two at once", 2, 0}, {"surge", 0, 2}} {
		t.Run(tc.name, func(t *testing.T) {
			c := Start(t, nil, "daemonset")
			var nodes []string
			for i := range 6 {
				nodes = append(nodes, fmt.Sprintf("n%d", i))
			}
			c.Nodes(nodes...)
			c.RunPods(nil)
			apitest.Create(t, c.Server, daemonSet("agent", func(s *appsv1.DaemonSetSpec) {
				s.UpdateStrategy = &appsv1.DaemonSetUpdateStrategy{Type: "RollingUpdate", RollingUpdate: &appsv1.RollingUpdateDaemonSet{
					MaxUnavailable: &metav1.IntOrString{IntVal: tc.unavailable}, MaxSurge: &metav1.IntOrString{IntVal: tc.surge},
				}}
			}))
			apitest.Await(t, c.Server, "default", "agent", everywhere(6))
			v := c.View()
			v.Await(t, "six pods", func() bool { return v.Active("agent") == 6 })
			c.changeDaemons("agent", func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = "v2" })
			// Whatever is seen on the way keeps to the strategy.
			v.Await(t, "the new template everywhere", func() bool {
				ready, updated, active := 0, 0, 0
				for _, p := range v.Pods.List() {
					if p.GetMetadata().GetDeletionTimestamp() != nil {
						continue
					}
					active++
					if len(p.GetStatus().GetConditions()) > 0 && p.GetStatus().GetPodIP() != "" {
						ready++
						if p.GetSpec().GetContainers()[0].GetImage() == "v2" {
							updated++
						}
					}
				}
				if ready < 6-int(tc.unavailable) || active > 6+int(tc.surge) {
					t.Errorf("%d ready of %d", ready, active)
				}
				return updated == 6 && active == 6
			})
			apitest.Await(t, c.Server, "default", "agent", everywhere(6))
			if n := len(list[*appsv1.ControllerRevision](t, c, client.ListOptions{Namespace: "default"})); n != 2 {
				t.Errorf("%d revisions", n)
			}
		})
	}
}

// TestDaemonSetOnDelete waits for somebody to delete the old pods.
func TestDaemonSetOnDelete(t *testing.T) {
	c := Start(t, nil, "daemonset")
	c.Nodes("n1", "n2")
	c.RunPods(nil)
	apitest.Create(t, c.Server, daemonSet("agent", func(s *appsv1.DaemonSetSpec) {
		s.UpdateStrategy = &appsv1.DaemonSetUpdateStrategy{Type: "OnDelete"}
	}))
	apitest.Await(t, c.Server, "default", "agent", everywhere(2))
	c.changeDaemons("agent", func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = "v2" })
	apitest.Await(t, c.Server, "default", "agent", func(d *appsv1.DaemonSet) bool {
		return d.GetStatus().GetObservedGeneration() == 2 && d.GetStatus().GetUpdatedNumberScheduled() == 0
	})
	for _, p := range list[*corev1.Pod](t, c, client.ListOptions{Namespace: "default", FieldSelector: "spec.nodeName=n1"}) {
		if err := client.For[*corev1.Pod](c.Conn).Delete(t.Context(), "default", p.GetMetadata().GetName()); err != nil {
			t.Fatal(err)
		}
	}
	apitest.Await(t, c.Server, "default", "agent", func(d *appsv1.DaemonSet) bool {
		return d.GetStatus().GetUpdatedNumberScheduled() == 1 && d.GetStatus().GetNumberReady() == 2
	})
	want(t, places(t, c, "agent"), "n1=v2", "n2=v1")
}

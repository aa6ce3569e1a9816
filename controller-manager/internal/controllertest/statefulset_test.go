package controllertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

func statefulSet(name string, n int32, change func(*appsv1.StatefulSetSpec)) *appsv1.StatefulSet {
	template := Template("v1")
	template.Metadata.Labels["app"] = name
	s := &appsv1.StatefulSet{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: &appsv1.StatefulSetSpec{
			Replicas: proto.Int32(n), ServiceName: name, Template: template,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
		},
	}
	if change != nil {
		change(s.Spec)
	}
	return s
}

// settled is what `kubectl rollout status` waits for, and no pod too many.
func settled(s *appsv1.StatefulSet) bool {
	st, n := s.GetStatus(), s.GetSpec().GetReplicas()
	return st.GetObservedGeneration() == s.GetMetadata().GetGeneration() && st.GetReplicas() == n && st.GetReadyReplicas() == n &&
		st.GetAvailableReplicas() == n && st.GetUpdatedReplicas() == n && st.GetCurrentRevision() == st.GetUpdateRevision() && st.GetCurrentReplicas() == n
}

func (c *Cluster) changeSet(name string, change func(*appsv1.StatefulSet)) {
	c.t.Helper()
	c.Retry(func(ctx context.Context) error {
		sets := client.For[*appsv1.StatefulSet](c.Conn)
		s, err := sets.Get(ctx, "default", name)
		if err != nil {
			return err
		}
		change(s)
		_, err = sets.Update(ctx, s)
		return err
	})
}

// images are the pods of an application and what each runs: "db-0=v1".
func images(t *testing.T, c *Cluster, app string) []string {
	t.Helper()
	var out []string
	for _, p := range list[*corev1.Pod](t, c, client.ListOptions{Namespace: "default", LabelSelector: "app=" + app}) {
		out = append(out, p.GetMetadata().GetName()+"="+p.GetSpec().GetContainers()[0].GetImage())
	}
	slices.Sort(out)
	return out
}

func want(t *testing.T, got []string, names ...string) {
	t.Helper()
	if !slices.Equal(got, names) {
		t.Errorf("pods %v, want %v", got, names)
	}
}

func TestStatefulSetOrdered(t *testing.T) {
	c := Start(t, nil, "statefulset")
	c.Nodes("n1")
	var mu sync.Mutex
	var order []string
	c.RunPodsAs(func(p *corev1.Pod) *corev1.PodStatus {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, p.GetMetadata().GetName()+"="+p.GetSpec().GetContainers()[0].GetImage())
		return &corev1.PodStatus{Phase: "Running", Conditions: []*corev1.PodCondition{{Type: "Ready", Status: "True"}}}
	}, "n1")
	apitest.Create(t, c.Server, statefulSet("db", 3, nil))
	apitest.Await(t, c.Server, "default", "db", settled)
	pod, err := client.For[*corev1.Pod](c.Conn).Get(t.Context(), "default", "db-1")
	if err != nil {
		t.Fatal(err)
	}
	m := pod.GetMetadata()
	if m.GetLabels()["statefulset.kubernetes.io/pod-name"] != "db-1" || m.GetLabels()["apps.kubernetes.io/pod-index"] != "1" ||
		pod.GetSpec().GetHostname() != "db-1" || pod.GetSpec().GetSubdomain() != "db" {
		t.Errorf("identity of %v", pod)
	}
	c.changeSet("db", func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Image = "v2" })
	apitest.Await(t, c.Server, "default", "db", settled)
	c.changeSet("db", func(s *appsv1.StatefulSet) { s.Spec.Replicas = proto.Int32(1) })
	apitest.Await(t, c.Server, "default", "db", settled)
	mu.Lock()
	want(t, order, "db-0=v1", "db-1=v1", "db-2=v1", "db-2=v2", "db-1=v2", "db-0=v2")
	mu.Unlock()
	want(t, images(t, c, "db"), "db-0=v2")

	// Back to the first template: its revision gets a new number, and there is no third one.
	c.changeSet("db", func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Image = "v1" })
	apitest.Await(t, c.Server, "default", "db", settled)
	var numbers []int64
	for _, r := range list[*appsv1.ControllerRevision](t, c, client.ListOptions{Namespace: "default", LabelSelector: "app=db"}) {
		numbers = append(numbers, r.GetRevision())
		if raw := string(r.GetData().GetRaw()); !strings.Contains(raw, `"$patch":"replace"`) || !strings.HasPrefix(raw, `{"spec":{"template":{`) || strings.Contains(raw, `"kind"`) {
			t.Errorf("data of %s: %s", r.GetMetadata().GetName(), raw)
		}
	}
	slices.Sort(numbers)
	if !slices.Equal(numbers, []int64{2, 3}) {
		t.Errorf("revisions %v", numbers)
	}
}

func TestStatefulSetPartition(t *testing.T) {
	c := Start(t, nil, "statefulset")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	apitest.Create(t, c.Server, statefulSet("db", 4, func(s *appsv1.StatefulSetSpec) { s.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5} }))
	apitest.Await(t, c.Server, "default", "db", settled)
	partition := func(n int32, image string) {
		c.changeSet("db", func(s *appsv1.StatefulSet) {
			s.Spec.UpdateStrategy = &appsv1.StatefulSetUpdateStrategy{Type: "RollingUpdate", RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: proto.Int32(n)}}
			s.Spec.Template.Spec.Containers[0].Image = image
		})
	}
	partition(2, "v2")
	apitest.Await(t, c.Server, "default", "db", func(s *appsv1.StatefulSet) bool {
		return s.GetStatus().GetUpdatedReplicas() == 2 && s.GetStatus().GetReadyReplicas() == 4 && s.GetStatus().GetCurrentReplicas() == 2
	})
	want(t, images(t, c, "db"), "db-5=v1", "db-6=v1", "db-7=v2", "db-8=v2")
	// One below the partition comes back as it was.
	pods := client.For[*corev1.Pod](c.Conn)
	old, err := pods.Get(t.Context(), "default", "db-5")
	if err == nil {
		err = pods.Delete(t.Context(), "default", "db-5")
	}
	if err != nil {
		t.Fatal(err)
	}
	apitest.Await(t, c.Server, "default", "db-5", func(p *corev1.Pod) bool {
		return p.GetMetadata().GetUid() != old.GetMetadata().GetUid() && p.GetStatus().GetPodIP() != ""
	})
	want(t, images(t, c, "db"), "db-5=v1", "db-6=v1", "db-7=v2", "db-8=v2")
	partition(0, "v2")
	apitest.Await(t, c.Server, "default", "db", settled)
	want(t, images(t, c, "db"), "db-5=v2", "db-6=v2", "db-7=v2", "db-8=v2")
}

func TestStatefulSetOnDeleteAndParallel(t *testing.T) {
	c := Start(t, nil, "statefulset")
	c.Nodes("n1")
	// One pod never gets ready; in parallel it holds up nobody.
	c.RunPods(func(p *corev1.Pod) bool { return p.GetMetadata().GetName() != "wide-0" }, "n1")
	apitest.Create(t, c.Server, statefulSet("wide", 5, func(s *appsv1.StatefulSetSpec) { s.PodManagementPolicy = "Parallel" }))
	apitest.Await(t, c.Server, "default", "wide", func(s *appsv1.StatefulSet) bool { return s.GetStatus().GetReadyReplicas() == 4 })
	c.changeSet("wide", func(s *appsv1.StatefulSet) { s.Spec.Replicas = proto.Int32(2) })
	apitest.Await(t, c.Server, "default", "wide", func(s *appsv1.StatefulSet) bool { return s.GetStatus().GetReplicas() == 2 })
	want(t, images(t, c, "wide"), "wide-0=v1", "wide-1=v1")

	apitest.Create(t, c.Server, statefulSet("hand", 2, func(s *appsv1.StatefulSetSpec) {
		s.UpdateStrategy = &appsv1.StatefulSetUpdateStrategy{Type: "OnDelete"}
	}))
	apitest.Await(t, c.Server, "default", "hand", settled)
	c.changeSet("hand", func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Image = "v2" })
	apitest.Await(t, c.Server, "default", "hand", func(s *appsv1.StatefulSet) bool {
		return s.GetStatus().GetCurrentRevision() != s.GetStatus().GetUpdateRevision()
	})
	if err := client.For[*corev1.Pod](c.Conn).Delete(t.Context(), "default", "hand-0"); err != nil {
		t.Fatal(err)
	}
	apitest.Await(t, c.Server, "default", "hand", func(s *appsv1.StatefulSet) bool {
		return s.GetStatus().GetUpdatedReplicas() == 1 && s.GetStatus().GetReadyReplicas() == 2
	})
	want(t, images(t, c, "hand"), "hand-0=v2", "hand-1=v1")
}

// TestStatefulSetHistory keeps only so many old templates.
func TestStatefulSetHistory(t *testing.T) {
	c := Start(t, nil, "statefulset")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	apitest.Create(t, c.Server, statefulSet("db", 1, func(s *appsv1.StatefulSetSpec) { s.RevisionHistoryLimit = proto.Int32(2) }))
	for i := range 6 {
		c.changeSet("db", func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Image = fmt.Sprintf("v%d", i) })
		apitest.Await(t, c.Server, "default", "db", settled)
	}
	revisions := list[*appsv1.ControllerRevision](t, c, client.ListOptions{Namespace: "default"})
	slices.SortFunc(revisions, func(a, b *appsv1.ControllerRevision) int { return int(a.GetRevision() - b.GetRevision()) })
	for _, r := range revisions[:max(len(revisions)-3, 0)] {
		apitest.AwaitGone[*appsv1.ControllerRevision](t, c.Server, "default", r.GetMetadata().GetName())
	}
}

// TestStatefulSetForegroundDeletion must not get a new revision for each that the garbage collector takes away.
func TestStatefulSetForegroundDeletion(t *testing.T) {
	c := Start(t, nil, "statefulset", "daemonset", "garbagecollector", "namespace")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	apitest.Create(t, c.Server, statefulSet("db", 2, nil))
	apitest.Create(t, c.Server, daemonSet("agent", nil))
	apitest.Await(t, c.Server, "default", "db", settled)
	apitest.Await(t, c.Server, "default", "agent", everywhere(1))
	foreground := client.DeleteOptions{PropagationPolicy: client.Foreground}
	if err := client.For[*appsv1.StatefulSet](c.Conn).Delete(t.Context(), "default", "db", foreground); err != nil {
		t.Fatal(err)
	}
	if err := client.For[*appsv1.DaemonSet](c.Conn).Delete(t.Context(), "default", "agent", foreground); err != nil {
		t.Fatal(err)
	}
	apitest.AwaitGone[*appsv1.StatefulSet](t, c.Server, "default", "db")
	apitest.AwaitGone[*appsv1.DaemonSet](t, c.Server, "default", "agent")
	if left := list[*appsv1.ControllerRevision](t, c, client.ListOptions{Namespace: "default"}); len(left) > 0 {
		t.Errorf("%d revisions are left", len(left))
	}
}

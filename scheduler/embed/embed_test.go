package embed

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
)

// start runs a scheduler until the test, or the returned function, ends it.
func start(t *testing.T, s *apitest.Server, elect bool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Start(ctx, Config{Conn: s.Conn, LeaderElect: elect, Registerer: prometheus.NewRegistry()})
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("scheduler: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func makeNode(t *testing.T, s *apitest.Server, name, cpu string) {
	t.Helper()
	apitest.Create(t, s, &corev1.Node{Metadata: &metav1.ObjectMeta{Name: name}})
	nodes := client.For[*corev1.Node](s.Conn)
	n, err := nodes.Get(t.Context(), "", name)
	if err != nil {
		t.Fatal(err)
	}
	n.Status = &corev1.NodeStatus{Allocatable: map[string]*metav1.Quantity{
		"cpu": {String_: cpu}, "memory": {String_: "8Gi"}, "pods": {String_: "110"},
	}}
	if _, err := nodes.UpdateStatus(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

func makePod(t *testing.T, s *apitest.Server, name, cpu string) {
	t.Helper()
	apitest.Create(t, s, &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": "web"}},
		Spec: &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: "i", Resources: &corev1.ResourceRequirements{
			Requests: map[string]*metav1.Quantity{"cpu": {String_: cpu}},
		}}}},
	})
}

func awaitNode(t *testing.T, s *apitest.Server, pod string) string {
	t.Helper()
	p := apitest.Await(t, s, "default", pod, func(p *corev1.Pod) bool { return p.GetSpec().GetNodeName() != "" })
	return p.GetSpec().GetNodeName()
}

func TestPodsAreBoundAcrossNodes(t *testing.T) {
	s := apitest.New(t)
	for i := range 3 {
		makeNode(t, s, fmt.Sprint("n", i), "4")
	}
	for _, elect := range []bool{false, true} {
		stop := start(t, s, elect)
		perNode := map[string]int{}
		for i := range 6 {
			name := fmt.Sprintf("p%d-%v", i, elect)
			makePod(t, s, name, "100m")
			perNode[awaitNode(t, s, name)]++
		}
		for n, count := range perNode {
			if count != 2 {
				t.Errorf("leader election %v: %d pods on %s, want 2 on each of 3 nodes", elect, count, n)
			}
		}
		stop()
	}
}

func TestUnschedulablePodSaysWhyAndIsTriedAgain(t *testing.T) {
	s := apitest.New(t)
	makeNode(t, s, "small", "1")
	start(t, s, false)
	makePod(t, s, "big", "2")
	p := apitest.Await(t, s, "default", "big", func(p *corev1.Pod) bool { return len(p.GetStatus().GetConditions()) > 0 })
	c := p.GetStatus().GetConditions()[0]
	if c.GetType() != "PodScheduled" || c.GetStatus() != "False" || c.GetReason() != "Unschedulable" ||
		!strings.Contains(c.GetMessage(), "0/1 nodes are available: 1 Insufficient cpu.") {
		t.Errorf("condition: %v", c)
	}
	makeNode(t, s, "large", "4")
	if got := awaitNode(t, s, "big"); got != "large" {
		t.Errorf("bound to %s", got)
	}
}

// TestRestart kills the scheduler between pods: a new one counts what the old one bound.
func TestRestart(t *testing.T) {
	s := apitest.New(t)
	makeNode(t, s, "a", "1")
	makeNode(t, s, "b", "1")
	stop := start(t, s, false)
	makePod(t, s, "first", "900m")
	on := awaitNode(t, s, "first")
	stop()
	makePod(t, s, "second", "900m")
	start(t, s, false)
	if got := awaitNode(t, s, "second"); got == on {
		t.Errorf("both pods are on %s, which has room for one", on)
	}
}

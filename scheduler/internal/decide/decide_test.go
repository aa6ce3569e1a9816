package decide

import (
	"fmt"
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

	"github.com/keelson/keelson/scheduler/internal/state"
)

func quantity(s string) *metav1.Quantity { return &metav1.Quantity{String_: s} }

func resources(cpu, memory string) map[string]*metav1.Quantity {
	return map[string]*metav1.Quantity{"cpu": quantity(cpu), "memory": quantity(memory)}
}

type nodeOption func(*corev1.Node)

func node(name string, options ...nodeOption) *corev1.Node {
	n := &corev1.Node{
		Metadata: &metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}},
		Spec:     &corev1.NodeSpec{},
		Status:   &corev1.NodeStatus{Allocatable: resources("4", "8Gi")},
	}
	n.Status.Allocatable["pods"] = quantity("110")
	for _, o := range options {
		o(n)
	}
	return n
}

func label(k, v string) nodeOption { return func(n *corev1.Node) { n.Metadata.Labels[k] = v } }
func taint(k, v, effect string) nodeOption {
	return func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, &corev1.Taint{Key: k, Value: v, Effect: effect})
	}
}
func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }

type podOption func(*corev1.Pod)

var serial int

func pod(options ...podOption) *corev1.Pod {
	serial++
	p := &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("p", serial), Uid: fmt.Sprint("u", serial), Labels: map[string]string{"app": "web"}},
		Spec:     &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c"}}},
	}
	for _, o := range options {
		o(p)
	}
	return p
}

func asks(cpu, memory string) podOption {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources = &corev1.ResourceRequirements{Requests: resources(cpu, memory)}
	}
}
func hostPort(port int32) podOption {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []*corev1.ContainerPort{{ContainerPort: port, HostPort: port, Protocol: "TCP"}}
	}
}
func selects(k, v string) podOption {
	return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{k: v} }
}
func tolerates(k string) podOption {
	return func(p *corev1.Pod) { p.Spec.Tolerations = []*corev1.Toleration{{Key: k, Operator: "Exists"}} }
}
func labelled(k, v string) podOption {
	return func(p *corev1.Pod) { p.Metadata.Labels = map[string]string{k: v} }
}
func antiAffinity(app, key string) podOption {
	return func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []*corev1.PodAffinityTerm{term(app, key)},
		}}
	}
}
func podAffinity(app, key string) podOption {
	return func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []*corev1.PodAffinityTerm{term(app, key)},
		}}
	}
}
func term(app, key string) *corev1.PodAffinityTerm {
	return &corev1.PodAffinityTerm{TopologyKey: key, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}}
}
func spreads(key string, skew int32) podOption {
	return func(p *corev1.Pod) {
		p.Spec.TopologySpreadConstraints = []*corev1.TopologySpreadConstraint{{
			MaxSkew: skew, TopologyKey: key, WhenUnsatisfiable: "DoNotSchedule",
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		}}
	}
}

// cluster is a state with its decider, to which pods are put one by one.
type cluster struct {
	state   *state.State
	decider *Decider
	classes state.Classes
}

func newCluster(nodes ...*corev1.Node) *cluster {
	s := state.New()
	c := &cluster{state: s, decider: New(s)}
	for _, n := range nodes {
		s.SetNode(n)
	}
	return c
}

// place decides about a pod and, where it fits, assumes it. It returns the node or the refusal's message.
func (c *cluster) place(p *corev1.Pod) string {
	class := c.classes.Of(p)
	slot, refusal := c.decider.Place(class)
	if refusal != nil {
		return refusal.Message
	}
	c.state.Assume(&state.Pod{
		UID: p.GetMetadata().GetUid(), Namespace: p.GetMetadata().GetNamespace(), Labels: p.GetMetadata().GetLabels(), Class: class,
	}, slot)
	return c.state.Node(slot).Name
}

func TestPlace(t *testing.T) {
	tests := []struct {
		name  string
		nodes []*corev1.Node
		pods  []*corev1.Pod
		want  []string
	}{
		{"no nodes", nil, []*corev1.Pod{pod()}, []string{"no nodes available to schedule pods"}},
		{"replicas are kept apart", []*corev1.Node{node("a"), node("b"), node("c")}, []*corev1.Pod{pod(), pod(), pod()}, []string{"a", "b", "c"}},
		{"least allocated", []*corev1.Node{node("a"), node("b")}, []*corev1.Pod{pod(asks("2", "1Gi")), pod(asks("1", "1Gi"), labelled("x", "y"))}, []string{"a", "b"}},
		{
			"every reason is counted", []*corev1.Node{node("a", cordoned), node("b", taint("k", "v", "NoSchedule")), node("c")},
			[]*corev1.Pod{pod(asks("5", "100Gi"))},
			[]string{"0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had untolerated taint {k: v}, 1 node(s) were unschedulable."},
		},
		{"a toleration lets in", []*corev1.Node{node("a", taint("k", "v", "NoExecute"))}, []*corev1.Pod{pod(tolerates("k"))}, []string{"a"}},
		{"preferred taints are avoided", []*corev1.Node{node("a", taint("k", "v", "PreferNoSchedule")), node("b")}, []*corev1.Pod{pod(), pod()}, []string{"b", "b"}},
		{
			"node selector", []*corev1.Node{node("a"), node("b", label("disk", "ssd"))}, []*corev1.Pod{pod(selects("disk", "ssd")), pod(selects("disk", "hdd"))},
			[]string{"b", "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."},
		},
		{
			"host ports", []*corev1.Node{node("a")}, []*corev1.Pod{pod(hostPort(80)), pod(hostPort(80))},
			[]string{"a", "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."},
		},
		{
			"anti-affinity, one a node", []*corev1.Node{node("a"), node("b")},
			[]*corev1.Pod{pod(antiAffinity("web", "kubernetes.io/hostname")), pod(antiAffinity("web", "kubernetes.io/hostname")), pod(antiAffinity("web", "kubernetes.io/hostname"))},
			[]string{"a", "b", "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules."},
		},
		{
			"anti-affinity of a running pod keeps others away", []*corev1.Node{node("a")},
			[]*corev1.Pod{pod(labelled("app", "db"), antiAffinity("web", "kubernetes.io/hostname")), pod()},
			[]string{"a", "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules."},
		},
		{
			"affinity follows", []*corev1.Node{node("a"), node("b", label("disk", "ssd"))},
			[]*corev1.Pod{pod(labelled("app", "db"), selects("disk", "ssd")), pod(podAffinity("db", "kubernetes.io/hostname")), pod(podAffinity("none", "kubernetes.io/hostname"))},
			[]string{"b", "b", "0/2 nodes are available: 2 node(s) didn't match pod affinity rules."},
		},
		{"the first of a group may go anywhere", []*corev1.Node{node("a"), node("b")}, []*corev1.Pod{pod(podAffinity("web", "kubernetes.io/hostname")), pod(podAffinity("web", "kubernetes.io/hostname"))}, []string{"a", "a"}},
		{
			"hard topology spread", []*corev1.Node{node("a", label("zone", "1")), node("b", label("zone", "2"), cordoned)},
			[]*corev1.Pod{pod(spreads("zone", 1)), pod(spreads("zone", 1))},
			[]string{"a", "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable."},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(tt.nodes...)
			for i, p := range tt.pods {
				if got := c.place(p); got != tt.want[i] {
					t.Errorf("pod %d: got %q, want %q", i, got, tt.want[i])
				}
			}
		})
	}
}

// TestKeptEvaluation checks that what is kept between pods says the same as a fresh evaluation, while nodes and pods
// come and go.
func TestKeptEvaluation(t *testing.T) {
	c := newCluster()
	for i := range 20 {
		c.state.SetNode(node(fmt.Sprintf("n%02d", i), label("zone", fmt.Sprint(i%3))))
	}
	var placed []string
	for i := range 300 {
		p := pod(asks("100m", "64Mi"), labelled("app", fmt.Sprint(i%4)))
		class := c.classes.Of(p)
		kept, refusal := c.decider.Place(class)
		fresh, freshRefusal := New(c.state).Place(class)
		if kept != fresh || (refusal == nil) != (freshRefusal == nil) {
			t.Fatalf("pod %d: kept evaluation says %d, a fresh one %d", i, kept, fresh)
		}
		if refusal == nil {
			c.state.Assume(&state.Pod{UID: p.Metadata.Uid, Namespace: "default", Labels: p.Metadata.Labels, Class: class}, kept)
			placed = append(placed, p.Metadata.Uid)
		}
		switch i % 7 {
		case 3:
			c.state.Remove(placed[0])
			placed = placed[1:]
		case 5:
			c.state.SetNode(node(fmt.Sprintf("n%02d", i%20), taint("t", "v", "NoSchedule")))
		case 6:
			c.state.RemoveNode(fmt.Sprintf("n%02d", (i*3)%20))
			c.state.SetNode(node(fmt.Sprintf("n%02d", (i*3)%20)))
			placed = placed[:0]
			c.state.Pods(func(p *state.Pod, _ *state.Node) { placed = append(placed, p.UID) })
		}
	}
}

func BenchmarkPlace(b *testing.B) {
	for _, nodes := range []int{1000, 5000} {
		for name, option := range map[string]podOption{
			"plain": asks("10m", "16Mi"), "anti-affinity": antiAffinity("db", "kubernetes.io/hostname"), "spread": spreads("zone", 5),
		} {
			b.Run(fmt.Sprintf("%s/%d", name, nodes), func(b *testing.B) {
				c := newCluster()
				for i := range nodes {
					n := node(fmt.Sprint("n", i), label("zone", fmt.Sprint(i%10)))
					n.Status.Allocatable["pods"] = quantity("1000000")
					c.state.SetNode(n)
				}
				p := pod(option)
				for b.Loop() {
					serial++
					p.Metadata.Uid = fmt.Sprint("b", serial)
					c.place(p)
				}
			})
		}
	}
}

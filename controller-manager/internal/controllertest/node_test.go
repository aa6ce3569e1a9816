package controllertest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/embed"
)

const testCA = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"

func writeCA(t *testing.T) func(*embed.Config) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, []byte(testCA), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(cfg *embed.Config) { cfg.RootCAFile = file }
}

func TestNodeRanges(t *testing.T) {
	c := Start(t, nil, "nodeipam")
	c.Nodes("n1", "n2", "n3")
	seen := map[string]bool{}
	for _, name := range []string{"n1", "n2", "n3"} {
		n := apitest.Await(t, c.Server, "", name, func(n *corev1.Node) bool { return n.GetSpec().GetPodCIDR() != "" })
		seen[n.GetSpec().GetPodCIDR()] = true
	}
	if len(seen) != 3 || !seen["10.244.0.0/24"] || !seen["10.244.2.0/24"] {
		t.Errorf("ranges: %v", seen)
	}
}

func condition(n *corev1.Node, status string) bool {
	for _, cond := range n.GetStatus().GetConditions() {
		if cond.GetType() == "Ready" {
			return cond.GetStatus() == status
		}
	}
	return false
}

func taint(n *corev1.Node, key, effect string) bool {
	for _, x := range n.GetSpec().GetTaints() {
		if x.GetKey() == key && x.GetEffect() == effect {
			return true
		}
	}
	return false
}

// TestSilentNode is a node whose kubelet is gone while another one lives: its pods go, and run on the other.
func TestSilentNode(t *testing.T) {
	c := Start(t, func(cfg *embed.Config) { cfg.NodeMonitorGracePeriod = time.Second }, "*")
	c.Nodes("dead", "alive")
	// A kubelet that renews in time, for as long as the test runs.
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				patch := []byte(`{"spec":{"holderIdentity":"alive","renewTime":"` + time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") + `"}}`)
				c.renew(ctx, "alive", patch)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	tolerate := func(p *corev1.PodSpec, seconds int64) {
		for _, key := range []string{"node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"} {
			p.Tolerations = append(p.Tolerations, &corev1.Toleration{Key: key, Operator: "Exists", Effect: "NoExecute", TolerationSeconds: proto.Int64(seconds)})
		}
	}
	pod := &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "short"},
		Spec:     &corev1.PodSpec{NodeName: "dead", Containers: []*corev1.Container{{Name: "c", Image: "i"}}},
	}
	tolerate(pod.Spec, 1)
	apitest.Create(t, c.Server, pod)
	long := proto.CloneOf(pod)
	long.Metadata.Name = "long"
	long.Spec.Tolerations = nil
	tolerate(long.Spec, 300)
	long = apitest.Create(t, c.Server, long)
	long.Status = &corev1.PodStatus{Phase: "Running", PodIP: "10.244.0.9", Conditions: []*corev1.PodCondition{{Type: "Ready", Status: "True"}}}
	if _, err := client.For[*corev1.Pod](c.Conn).UpdateStatus(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	apitest.Await(t, c.Server, "", "dead", func(n *corev1.Node) bool {
		return condition(n, "Unknown") && taint(n, "node.kubernetes.io/unreachable", "NoSchedule") && taint(n, "node.kubernetes.io/unreachable", "NoExecute")
	})
	apitest.Await(t, c.Server, "default", "long", func(p *corev1.Pod) bool { return p.GetStatus().GetConditions()[0].GetStatus() == "False" })
	apitest.Await(t, c.Server, "default", "short", func(p *corev1.Pod) bool { return p.GetMetadata().GetDeletionTimestamp() != nil })
	if p, err := client.For[*corev1.Pod](c.Conn).Get(t.Context(), "default", "long"); err != nil || p.GetMetadata().GetDeletionTimestamp() != nil {
		t.Errorf("the pod that tolerates the node for 300 s: %v, %v", p.GetMetadata(), err)
	}
	if n, err := client.For[*corev1.Node](c.Conn).Get(t.Context(), "", "alive"); err != nil || !condition(n, "True") || len(n.GetSpec().GetTaints()) > 0 {
		t.Errorf("the other node: %v, %v", n, err)
	}
	// The kubelet comes back.
	c.Heartbeat("dead", "True")
	apitest.Await(t, c.Server, "", "dead", func(n *corev1.Node) bool { return condition(n, "True") && len(n.GetSpec().GetTaints()) == 0 })
}

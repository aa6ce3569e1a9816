// Package controllertest runs controllers on an API server in memory, for component tests: set objects, await what the
// controllers make of them. A stand-in for scheduler and kubelets binds pods and reports them as running.
package controllertest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/embed"
)

// Cluster is an API server with controllers.
type Cluster struct {
	*apitest.Server
	t       testing.TB
	address atomic.Int32
}

// Start runs the named controllers until the test ends. configure, if not nil, changes their configuration.
func Start(t testing.TB, configure func(*embed.Config), controllers ...string) *Cluster {
	t.Helper()
	c := New(t)
	c.Run(configure, controllers...)
	return c
}

// New makes a cluster in which no controller runs yet.
func New(t testing.TB, options ...apitest.Option) *Cluster {
	t.Helper()
	return &Cluster{Server: apitest.New(t, options...), t: t}
}

// Run runs controllers; the returned function stops them and waits.
func (c *Cluster) Run(configure func(*embed.Config), controllers ...string) (stop func()) {
	cfg := embed.Default()
	cfg.Conn, cfg.Controllers, cfg.LeaderElect = c.Conn, controllers, false
	cfg.NodeMonitorGracePeriod = time.Hour // nobody renews for these nodes, and a test may take its time
	cfg.Logger = zaptest.NewLogger(c.t, zaptest.Level(zap.WarnLevel))
	if configure != nil {
		configure(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- embed.Start(ctx, cfg) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Errorf("controllers: %v", err)
		}
	})
	c.t.Cleanup(stop)
	return stop
}

// Nodes makes nodes that are ready.
func (c *Cluster) Nodes(names ...string) {
	c.t.Helper()
	for _, name := range names {
		apitest.Create(c.t, c.Server, &corev1.Node{Metadata: &metav1.ObjectMeta{Name: name}})
		c.Heartbeat(name, "True")
	}
}

// Heartbeat writes a node's status as its kubelet would.
func (c *Cluster) Heartbeat(name, ready string) {
	c.t.Helper()
	c.Retry(func(ctx context.Context) error {
		nodes := client.For[*corev1.Node](c.Conn)
		node, err := nodes.Get(ctx, "", name)
		if err != nil {
			return err
		}
		now := apitime.Now()
		node.Status = &corev1.NodeStatus{Conditions: []*corev1.NodeCondition{{
			Type: "Ready", Status: ready, Reason: "KubeletReady", LastHeartbeatTime: now, LastTransitionTime: now,
		}}}
		_, err = nodes.UpdateStatus(ctx, node)
		return err
	})
}

// Retry repeats a write that lost a race.
func (c *Cluster) Retry(write func(ctx context.Context) error) {
	c.t.Helper()
	for {
		err := write(c.t.Context())
		if err == nil {
			return
		}
		if !apierrors.IsConflict(err) {
			c.t.Fatal(err)
		}
	}
}

// RunPods binds pods to nodes in turn and reports them as running, ready where ready says so, and finishes those that
// are being deleted, until the test ends. It stands for scheduler and kubelets.
func (c *Cluster) RunPods(ready func(*corev1.Pod) bool, nodes ...string) {
	c.RunPodsAs(func(pod *corev1.Pod) *corev1.PodStatus {
		status := "True"
		if ready != nil && !ready(pod) {
			status = "False"
		}
		return &corev1.PodStatus{Phase: "Running", Conditions: []*corev1.PodCondition{{Type: "Ready", Status: status, LastTransitionTime: apitime.Now()}}}
	}, nodes...)
}

// RunPodsAs is RunPods with a say in what becomes of each pod: the status that it gets when it was bound.
func (c *Cluster) RunPodsAs(become func(*corev1.Pod) *corev1.PodStatus, nodes ...string) {
	ctx, cancel := context.WithCancel(context.Background())
	pods := client.For[*corev1.Pod](c.Conn)
	w, err := pods.Watch(ctx, client.WatchOptions{SendInitialEvents: true, AllowBookmarks: true})
	if err != nil {
		c.t.Fatal(err)
	}
	batch := pods.Batch(ctx)
	var loop sync.WaitGroup
	loop.Go(func() {
		for next := 0; ; {
			events, err := w.Next()
			if err != nil {
				return
			}
			for _, e := range events {
				if e.Type == client.Bookmark || e.Type == client.Deleted {
					continue
				}
				next++
				node := madeFor(e.Object)
				if node == "" {
					node = nodes[next%len(nodes)]
				}
				c.runPod(batch, e.Object, become, node)
			}
		}
	})
	c.t.Cleanup(func() {
		cancel()
		w.Close()
		loop.Wait()
		batch.Close()
	})
}

// madeFor is the node that a pod's affinity names.
func madeFor(pod *corev1.Pod) string {
	for _, term := range pod.GetSpec().GetAffinity().GetNodeAffinity().GetRequiredDuringSchedulingIgnoredDuringExecution().GetNodeSelectorTerms() {
		for _, f := range term.GetMatchFields() {
			return f.GetValues()[0]
		}
	}
	return ""
}

func (c *Cluster) runPod(batch *client.Batch[*corev1.Pod], pod *corev1.Pod, become func(*corev1.Pod) *corev1.PodStatus, node string) {
	m := pod.GetMetadata()
	switch {
	case m.GetDeletionTimestamp() != nil:
		_ = batch.Delete(m.GetNamespace(), m.GetName(), nil, client.DeleteOptions{GracePeriodSeconds: proto.Int64(0)})
	case pod.GetSpec().GetNodeName() == "":
		binding := &corev1.Binding{Metadata: &metav1.ObjectMeta{Namespace: m.GetNamespace(), Name: m.GetName()}, Target: &corev1.ObjectReference{Kind: "Node", Name: node}}
		_ = batch.Sub(m.GetNamespace(), m.GetName(), "binding", binding, nil)
	case pod.GetStatus().GetPodIP() == "":
		status := become(pod)
		if status == nil {
			return
		}
		running := proto.CloneOf(pod)
		n := c.address.Add(1)
		ip := fmt.Sprintf("10.244.%d.%d", n/250, n%250+1)
		status.PodIP, status.PodIPs = ip, []*corev1.PodIP{{Ip: ip}}
		status.Conditions = append(status.Conditions, running.GetStatus().GetConditions()...)
		running.Status = status
		_ = batch.UpdateStatus(running, nil)
	}
}

// Template is a pod template of one container.
func Template(image string) *corev1.PodTemplateSpec {
	return &corev1.PodTemplateSpec{
		Metadata: &metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:     &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: image}}},
	}
}

// renew writes a node's lease as its kubelet would.
func (c *Cluster) renew(ctx context.Context, node string, patch []byte) {
	leases := client.For[*coordinationv1.Lease](c.Conn)
	_, err := leases.Patch(ctx, "kube-node-lease", node, client.MergePatch, patch)
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordinationv1.Lease{Metadata: &metav1.ObjectMeta{Namespace: "kube-node-lease", Name: node}})
	}
	if err != nil && ctx.Err() == nil {
		c.t.Errorf("renewing the lease of %s: %v", node, err)
	}
}

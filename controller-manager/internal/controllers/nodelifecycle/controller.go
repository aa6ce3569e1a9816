package nodelifecycle

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/nodestate"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// Name of the controller.
const Name = "nodelifecycle"

const (
	workers        = 4
	leaseNamespace = "kube-node-lease"
)

// Controller reconciles Nodes. Its keys are nodes' names.
type Controller struct {
	*controller.Runner[string]
	env    *controller.Env
	events controller.Recorder
	grace  time.Duration
	pace   Pace
	pacer  *pacer
	nodes  *informer.Informer[*corev1.Node]
	pods   *informer.Informer[*corev1.Pod]
	leases *informer.Informer[*coordinationv1.Lease]
	client *client.Client[*corev1.Node]

	mu sync.Mutex
	// heard is when a sign of life of each node's kubelet was last seen, by this process' clock.
	heard map[string]time.Time
	// ready are the nodes that are ready, to notice when the first becomes so and when the last ceases to be.
	ready map[string]bool
}

// New makes the controller and subscribes it to the caches. A node is silent once nothing was heard of it for grace.
func New(env *controller.Env, grace time.Duration, pace Pace) *Controller {
	c := &Controller{
		env:    env,
		events: env.Recorder("node-controller"),
		grace:  grace,
		pace:   pace,
		pacer:  newPacer(),
		nodes:  caches.Nodes(env.Caches),
		pods:   caches.Pods(env.Caches),
		leases: informer.New(env.Conn, informer.Options[*coordinationv1.Lease]{Namespace: leaseNamespace, Trim: true, Logger: env.Logger}),
		client: client.For[*corev1.Node](env.Conn),
		heard:  map[string]time.Time{},
		ready:  map[string]bool{},
	}
	env.Own = append(env.Own, c.leases)
	c.Runner = controller.RunnerOf[string](env, Name, workers, c.nodes, c.pods, c.leases)
	c.nodes.OnEvent(c.onNode)
	c.leases.OnEvent(c.onLease)
	c.pods.OnEvent(c.onPod)
	return c
}

// Run reconciles until ctx ends. It starts with a full grace period for every node: how long a kubelet was silent while
// nobody listened is not known.
func (c *Controller) Run(ctx context.Context) error {
	c.mu.Lock()
	for name := range c.heard {
		c.heard[name] = c.env.Now()
	}
	c.mu.Unlock()
	return c.Runner.Run(ctx, c.Reconcile)
}

func (c *Controller) onNode(e informer.Event[*corev1.Node]) {
	node := e.Object()
	name := node.GetMetadata().GetName()
	if c.note(e) {
		for _, other := range c.nodes.List() {
			c.Add(other.GetMetadata().GetName())
		}
	}
	c.Add(name)
}

// note remembers what an event says about a node and reports whether it made the first node ready or the last one not.
func (c *Controller) note(e informer.Event[*corev1.Node]) bool {
	node := e.Object()
	name := node.GetMetadata().GetName()
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.ready) > 0
	if e.Type == informer.Deleted {
		delete(c.heard, name)
		delete(c.ready, name)
		return before != (len(c.ready) > 0)
	}
	if _, known := c.heard[name]; !known || heartbeat(e.Old).Before(heartbeat(node)) {
		c.heard[name] = c.env.Now()
	}
	if nodestate.IsReady(node) {
		c.ready[name] = true
	} else {
		delete(c.ready, name)
	}
	return before != (len(c.ready) > 0)
}

// heartbeat is when the kubelet says that it wrote the node's status. This controller's own writes do not move it.
func heartbeat(node *corev1.Node) time.Time {
	return apitime.Go(nodestate.Condition(node, nodestate.Ready).GetLastHeartbeatTime())
}

func (c *Controller) onLease(e informer.Event[*coordinationv1.Lease]) {
	if e.Type == informer.Deleted {
		return
	}
	if e.Old != nil && proto.Equal(e.Old.GetSpec().GetRenewTime(), e.New.GetSpec().GetRenewTime()) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard[e.New.GetMetadata().GetName()] = c.env.Now()
}

// onPod looks after pods that claim to be ready on a node that is silent: bound or reported a moment too late.
func (c *Controller) onPod(e informer.Event[*corev1.Pod]) {
	if e.Type == informer.Deleted || !podstate.Ready(e.New) || (e.Old != nil && podstate.Ready(e.Old)) {
		return
	}
	node, ok := c.nodes.Get("", e.New.GetSpec().GetNodeName())
	if ok && nodestate.Condition(node, nodestate.Ready).GetStatus() == nodestate.Unknown {
		c.Add(node.GetMetadata().GetName())
	}
}

// Reconcile looks at one node.
func (c *Controller) Reconcile(ctx context.Context, name string) error {
	node, ok := c.nodes.Get("", name)
	if !ok {
		c.pacer.forget(name)
		return nil
	}
	left, evict := c.observe(name)
	if left > 0 {
		c.AddAfter(name, left)
	}
	now := c.env.Now()
	conditions := node.GetStatus().GetConditions()
	if left <= 0 {
		var changed bool
		if conditions, changed = silence(node, now); changed {
			c.Log().Info("the kubelet is silent", zap.String("node", name), zap.Duration("grace", c.grace))
			return c.setConditions(ctx, node, conditions)
		}
	}
	if list, changed := taints(node, conditions, evict && c.mayEmpty(node, now), now); changed {
		if err := c.setTaints(ctx, node, list); err != nil {
			return err
		}
	}
	if nodestate.Condition(node, nodestate.Ready).GetStatus() == nodestate.Unknown {
		return c.markPods(ctx, name, now)
	}
	return nil
}

// observe returns how long the node may stay silent, and whether pods may be evicted: only while some node is ready.
func (c *Controller) observe(name string) (left time.Duration, evict bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	heard, ok := c.heard[name]
	if !ok {
		heard = c.env.Now()
		c.heard[name] = heard
	}
	return c.grace - c.env.Now().Sub(heard), len(c.ready) > 0
}

// mayEmpty reports whether the pods of a node in trouble may be evicted yet. What was begun goes on.
func (c *Controller) mayEmpty(node *corev1.Node, now time.Time) bool {
	name := node.GetMetadata().GetName()
	if nodestate.IsReady(node) {
		c.pacer.forget(name)
		return true
	}
	if emptied(node) {
		return true
	}
	wait := recheck
	if interval, ok := c.pace.interval(zoneOf(node), c.nodes.List()); ok {
		wait = c.pacer.take(zoneOf(node), name, interval, now)
	}
	if wait > 0 {
		c.AddAfter(name, wait)
	}
	return wait == 0
}

// emptied reports whether the node has one of the taints that remove pods.
func emptied(node *corev1.Node) bool {
	return slices.ContainsFunc(node.GetSpec().GetTaints(), func(t *corev1.Taint) bool {
		return t.GetEffect() == nodestate.NoExecute && (t.GetKey() == nodestate.TaintNotReady || t.GetKey() == nodestate.TaintUnreachable)
	})
}

func (c *Controller) setConditions(ctx context.Context, node *corev1.Node, conditions []*corev1.NodeCondition) error {
	changed := proto.CloneOf(node)
	changed.Status.Conditions = conditions
	written, err := c.client.UpdateStatus(ctx, changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing the conditions of a silent node: %w", err)
	}
	c.Wrote(node.GetMetadata().GetName(), c.nodes, client.Revision(written))
	c.events.Event(node, controller.Normal, "NodeNotReady", "Node %s status is now: NodeNotReady", node.GetMetadata().GetName())
	return nil
}

func (c *Controller) setTaints(ctx context.Context, node *corev1.Node, list []*corev1.Taint) error {
	changed := proto.CloneOf(node)
	if changed.Spec == nil {
		changed.Spec = &corev1.NodeSpec{}
	}
	changed.Spec.Taints = list
	written, err := c.client.Update(ctx, changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing taints: %w", err)
	}
	c.Wrote(node.GetMetadata().GetName(), c.nodes, client.Revision(written))
	return nil
}

// markPods takes the pods of a silent node out of service: whether they are ready nobody knows.
func (c *Controller) markPods(ctx context.Context, name string, now time.Time) error {
	var all []writes.Write
	for _, pod := range c.pods.ByIndex(caches.Node, name) {
		if podstate.Terminal(pod) || !podstate.Ready(pod) {
			continue
		}
		changed := proto.CloneOf(pod)
		cond := podstate.Condition(changed, podstate.ConditionReady)
		cond.Status, cond.LastTransitionTime = podstate.False, apitime.Of(now)
		all = append(all, writes.UpdateStatus(changed))
	}
	var failed error
	for _, o := range writes.All(ctx, c.env.Pipeline, all) {
		switch {
		case o.Err == nil:
			c.Wrote(name, c.pods, o.Revision)
		case apierrors.IsNotFound(o.Err):
		default:
			failed = o.Err
		}
	}
	return failed
}

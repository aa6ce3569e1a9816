package podgc

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
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
const Name = "podgc"

const workers = 4

// finished is the key under which the number of finished pods is looked at; no pod has it.
var finished = controller.Key{}

// Controller reconciles Pods that may have to be removed.
type Controller struct {
	*controller.Runner[controller.Key]
	env    *controller.Env
	most   int
	pods   *informer.Informer[*corev1.Pod]
	nodes  *informer.Informer[*corev1.Node]
	client *client.Client[*corev1.Pod]

	mu sync.Mutex
	// missing is since when each node with pods is known to be missing.
	missing map[string]time.Time
}

// New makes the controller and subscribes it to the caches. It keeps most finished pods; 0 keeps all.
func New(env *controller.Env, most int) *Controller {
	c := &Controller{
		env:     env,
		most:    most,
		pods:    caches.Pods(env.Caches),
		nodes:   caches.Nodes(env.Caches),
		client:  client.For[*corev1.Pod](env.Conn),
		missing: map[string]time.Time{},
	}
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.pods, c.nodes)
	c.pods.OnEvent(c.onPod)
	c.nodes.OnEvent(c.onNode)
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

func (c *Controller) onPod(e informer.Event[*corev1.Pod]) {
	if e.Type == informer.Deleted {
		return
	}
	if podstate.Terminal(e.New) && (e.Old == nil || !podstate.Terminal(e.Old)) {
		c.Add(finished)
	}
	node, _ := c.nodes.Get("", e.New.GetSpec().GetNodeName())
	if judge(e.New, node) != keep {
		c.Add(controller.KeyOf(e.New))
	}
}

func (c *Controller) onNode(e informer.Event[*corev1.Node]) {
	node := e.Object()
	c.mu.Lock()
	if e.Type == informer.Deleted {
		c.missing[node.GetMetadata().GetName()] = c.env.Now()
	} else {
		delete(c.missing, node.GetMetadata().GetName())
	}
	c.mu.Unlock()
	if e.Type != informer.Deleted && !nodestate.HasTaint(node, nodestate.TaintOutOfService) {
		return
	}
	for _, pod := range c.pods.ByIndex(caches.Node, node.GetMetadata().GetName()) {
		c.Add(controller.KeyOf(pod))
	}
}

// Reconcile removes one pod where nobody else will, or the finished pods beyond the limit.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	if key == finished {
		return c.removeFinished(ctx)
	}
	pod, ok := c.pods.Get(key.Namespace, key.Name)
	if !ok {
		return nil
	}
	node, _ := c.nodes.Get("", pod.GetSpec().GetNodeName())
	v := judge(pod, node)
	if v == keep {
		return nil
	}
	if v == nodeMissing {
		wait, err := c.stillThere(ctx, pod.GetSpec().GetNodeName())
		if err != nil {
			return err
		}
		if wait > 0 {
			c.AddAfter(key, wait)
			return nil
		}
	}
	return c.remove(ctx, key, pod, v)
}

// stillThere returns how long a node that the cache misses still has to come back; 0 once it is gone for good, which
// the server confirms.
func (c *Controller) stillThere(ctx context.Context, name string) (time.Duration, error) {
	now := c.env.Now()
	c.mu.Lock()
	since, ok := c.missing[name]
	if !ok {
		since = now
		c.missing[name] = now
	}
	c.mu.Unlock()
	if left := since.Add(quarantine).Sub(now); left > 0 {
		return left, nil
	}
	_, err := client.For[*corev1.Node](c.env.Conn).Get(ctx, "", name)
	switch {
	case apierrors.IsNotFound(err):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("looking for node %s: %w", name, err)
	default:
		return quarantine, nil
	}
}

func (c *Controller) remove(ctx context.Context, key controller.Key, pod *corev1.Pod, v verdict) error {
	if v.message() != "" && !podstate.Terminal(pod) {
		marked, err := c.client.UpdateStatus(ctx, failed(pod, v, c.env.Now()))
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("marking a pod as failed: %w", err)
		}
		c.Wrote(key, c.pods, client.Revision(marked))
	}
	c.Log().Info("removing a pod", zap.Stringer("pod", key), zap.String("node", pod.GetSpec().GetNodeName()))
	return c.delete(ctx, key, []*corev1.Pod{pod})
}

// failed is the pod as it ends: whatever its containers did, nobody will report it any more.
func failed(pod *corev1.Pod, v verdict, now time.Time) *corev1.Pod {
	out := proto.CloneOf(pod)
	if out.Status == nil {
		out.Status = &corev1.PodStatus{}
	}
	out.Status.Phase = podstate.Failed
	out.Status.Conditions = append(
		slices.DeleteFunc(out.Status.Conditions, func(c *corev1.PodCondition) bool {
			return c.GetType() == podstate.ConditionDisruptionTarget
		}),
		&corev1.PodCondition{
			Type: podstate.ConditionDisruptionTarget, Status: podstate.True, Reason: "DeletionByPodGC", Message: v.message(),
			LastTransitionTime: apitime.Of(now),
		})
	return out
}

func (c *Controller) removeFinished(ctx context.Context) error {
	if c.most <= 0 {
		return nil
	}
	return c.delete(ctx, finished, surplus(c.pods.ByIndex(caches.Finished, caches.Finished), c.most))
}

func (c *Controller) delete(ctx context.Context, key controller.Key, pods []*corev1.Pod) error {
	all := make([]writes.Write, 0, len(pods))
	for _, pod := range pods {
		all = append(all, writes.Delete(pod, &metav1.DeleteOptions{GracePeriodSeconds: proto.Int64(0)}))
	}
	var failure error
	for _, o := range writes.All(ctx, c.env.Pipeline, all) {
		switch {
		case o.Err == nil:
			c.Wrote(key, c.pods, o.Revision)
		case apierrors.IsNotFound(o.Err):
		default:
			failure = o.Err
		}
	}
	if failure != nil {
		return fmt.Errorf("deleting pods: %w", failure)
	}
	return nil
}

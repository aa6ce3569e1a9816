package tainteviction

import (
	"context"
	"fmt"
	"slices"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/nodestate"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// Name of the controller.
const Name = "tainteviction"

const workers = 8

// Controller reconciles Pods on tainted nodes.
type Controller struct {
	*controller.Runner[controller.Key]
	env    *controller.Env
	events controller.Recorder
	pods   *informer.Informer[*corev1.Pod]
	nodes  *informer.Informer[*corev1.Node]
	client *client.Client[*corev1.Pod]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{
		env:    env,
		events: env.Recorder("taint-eviction-controller"),
		pods:   caches.Pods(env.Caches),
		nodes:  caches.Nodes(env.Caches),
		client: client.For[*corev1.Pod](env.Conn),
	}
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.pods, c.nodes)
	c.nodes.OnEvent(c.onNode)
	c.pods.OnEvent(c.onPod)
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

func evicting(node *corev1.Node) bool {
	return slices.ContainsFunc(node.GetSpec().GetTaints(), func(t *corev1.Taint) bool { return t.GetEffect() == nodestate.NoExecute })
}

func (c *Controller) onNode(e informer.Event[*corev1.Node]) {
	if e.Type == informer.Deleted || !evicting(e.New) {
		return
	}
	for _, pod := range c.pods.ByIndex(caches.Node, e.New.GetMetadata().GetName()) {
		c.Add(controller.KeyOf(pod))
	}
}

func (c *Controller) onPod(e informer.Event[*corev1.Pod]) {
	if e.Type == informer.Deleted {
		return
	}
	if node, ok := c.nodes.Get("", e.New.GetSpec().GetNodeName()); ok && evicting(node) {
		c.Add(controller.KeyOf(e.New))
	}
}

// Reconcile evicts one pod if its time has come.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	pod, ok := c.pods.Get(key.Namespace, key.Name)
	if !ok || pod.GetMetadata().GetDeletionTimestamp() != nil || podstate.Terminal(pod) {
		return nil
	}
	node, ok := c.nodes.Get("", pod.GetSpec().GetNodeName())
	if !ok {
		return nil
	}
	v := judge(pod, node.GetSpec().GetTaints())
	if !v.evict {
		return nil
	}
	if left := v.at.Sub(c.env.Now()); left > 0 {
		c.AddAfter(key, left)
		return nil
	}
	return c.evict(ctx, key, pod)
}

func (c *Controller) evict(ctx context.Context, key controller.Key, pod *corev1.Pod) error {
	c.events.Event(pod, controller.Normal, "TaintManagerEviction", "Marking for deletion Pod %s", key)
	if podstate.Condition(pod, podstate.ConditionDisruptionTarget).GetStatus() != podstate.True {
		marked := proto.CloneOf(pod)
		if marked.Status == nil {
			marked.Status = &corev1.PodStatus{}
		}
		marked.Status.Conditions = append(
			slices.DeleteFunc(marked.Status.Conditions, func(p *corev1.PodCondition) bool {
				return p.GetType() == podstate.ConditionDisruptionTarget
			}),
			&corev1.PodCondition{
				Type: podstate.ConditionDisruptionTarget, Status: podstate.True, Reason: reasonTaint, Message: message,
				LastTransitionTime: apitime.Of(c.env.Now()),
			})
		written, err := c.client.UpdateStatus(ctx, marked)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("marking a pod for eviction: %w", err)
		}
		c.Wrote(key, c.pods, client.Revision(written))
	}
	o := writes.One(ctx, c.env.Pipeline, writes.Delete(pod, nil))
	if o.Err != nil && !apierrors.IsNotFound(o.Err) {
		return fmt.Errorf("evicting a pod: %w", o.Err)
	}
	c.Wrote(key, c.pods, o.Revision)
	return nil
}

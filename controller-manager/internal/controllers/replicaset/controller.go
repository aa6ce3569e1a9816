package replicaset

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// Name of the controller.
const Name = "replicaset"

const (
	workers = 16
	kind    = "ReplicaSet"
)

// Controller reconciles ReplicaSets.
type Controller struct {
	*controller.Runner[controller.Key]
	env    *controller.Env
	events controller.Recorder
	sets   *informer.Informer[*appsv1.ReplicaSet]
	pods   *informer.Informer[*corev1.Pod]
	client *client.Client[*appsv1.ReplicaSet]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{
		env:    env,
		events: env.Recorder("replicaset-controller"),
		sets:   caches.ReplicaSets(env.Caches),
		pods:   caches.Pods(env.Caches),
		client: client.For[*appsv1.ReplicaSet](env.Conn),
	}
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.sets, c.pods)
	c.sets.OnEvent(func(e informer.Event[*appsv1.ReplicaSet]) { c.Add(controller.KeyOf(e.Object())) })
	c.pods.OnEvent(c.onPod)
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// onPod wakes the set that controls the pod and the one that did before; for an orphan, every set that may adopt it.
func (c *Controller) onPod(e informer.Event[*corev1.Pod]) {
	pod := e.Object()
	ref := owner.ControllerOf(pod.GetMetadata())
	if e.Old != nil {
		if before := owner.ControllerOf(e.Old.GetMetadata()); before.GetUid() != ref.GetUid() {
			c.addOwner(pod, before)
		}
	}
	if ref != nil {
		c.addOwner(pod, ref)
		return
	}
	if e.Type == informer.Deleted {
		return
	}
	for _, set := range c.sets.ByIndex(caches.Namespace, pod.GetMetadata().GetNamespace()) {
		if sel, err := selector.Compile(set.GetSpec().GetSelector()); err == nil && sel.Matches(pod.GetMetadata().GetLabels()) {
			c.Add(controller.KeyOf(set))
		}
	}
}

// addOwner need not compare UIDs: a set of another UID finds that it does not control the pod.
func (c *Controller) addOwner(pod *corev1.Pod, ref interface {
	GetKind() string
	GetName() string
}) {
	if ref.GetKind() == kind {
		c.Add(controller.Key{Namespace: pod.GetMetadata().GetNamespace(), Name: ref.GetName()})
	}
}

// Reconcile brings one ReplicaSet's pods and status up to date.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	set, ok := c.sets.Get(key.Namespace, key.Name)
	if !ok {
		return nil
	}
	sel, err := selector.Compile(set.GetSpec().GetSelector())
	if err != nil || sel.Everything() {
		c.Log().Warn("the selector selects nothing or everything, ignoring the set", zap.Stringer("key", key), zap.Error(err))
		return nil
	}
	now := c.env.Now()
	pods := append(c.pods.ByIndex(caches.Controller, set.GetMetadata().GetUid()), c.pods.ByIndex(caches.Orphan, key.Namespace)...)
	d := plan(state{set: set, pods: pods, related: c.related(set), now: now}, sel)
	if len(d.adopt)+len(d.release) > 0 {
		return c.claim(ctx, key, set, d)
	}
	failed, err := c.manage(ctx, key, set, d)
	if err == nil && d.create+len(d.remove) > 0 {
		// The pods' own events bring the key back, and then the status can be right.
		return nil
	}
	s, next := status(set, d.owned, failed, now)
	if next > 0 {
		c.AddAfter(key, next)
	}
	if proto.Equal(s, set.GetStatus()) {
		return err
	}
	changed := proto.CloneOf(set)
	changed.Status = s
	written, statusErr := c.client.UpdateStatus(ctx, changed)
	switch {
	case apierrors.IsNotFound(statusErr):
	case statusErr != nil:
		return fmt.Errorf("updating the status: %w", statusErr)
	default:
		c.Wrote(key, c.sets, client.Revision(written))
	}
	return err
}

// related counts, for each node, the active pods of all sets that share the set's owner, so that pods leave crowded
// nodes first also in the middle of a rollout.
func (c *Controller) related(set *appsv1.ReplicaSet) map[string]int {
	siblings := []*appsv1.ReplicaSet{set}
	if uid := owner.ControllerUID(set.GetMetadata()); uid != "" {
		siblings = c.sets.ByIndex(caches.Controller, uid)
	}
	out := map[string]int{}
	for _, s := range siblings {
		for _, pod := range c.pods.ByIndex(caches.Controller, s.GetMetadata().GetUid()) {
			if podstate.Active(pod) {
				out[pod.GetSpec().GetNodeName()]++
			}
		}
	}
	return out
}

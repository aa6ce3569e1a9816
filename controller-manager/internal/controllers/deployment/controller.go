package deployment

import (
	"context"
	"errors"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// Name of the controller.
const Name = "deployment"

const (
	workers = 16
	kind    = "Deployment"
)

// Controller reconciles Deployments.
type Controller struct {
	*controller.Runner[controller.Key]
	env         *controller.Env
	events      controller.Recorder
	deployments *informer.Informer[*appsv1.Deployment]
	sets        *informer.Informer[*appsv1.ReplicaSet]
	pods        *informer.Informer[*corev1.Pod]
	client      *client.Client[*appsv1.Deployment]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{
		env:         env,
		events:      env.Recorder("deployment-controller"),
		deployments: caches.Deployments(env.Caches),
		sets:        caches.ReplicaSets(env.Caches),
		pods:        caches.Pods(env.Caches),
		client:      client.For[*appsv1.Deployment](env.Conn),
	}
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.deployments, c.sets, c.pods)
	c.deployments.OnEvent(func(e informer.Event[*appsv1.Deployment]) { c.Add(controller.KeyOf(e.Object())) })
	c.sets.OnEvent(c.onSet)
	c.pods.OnEvent(c.onPod)
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// onSet wakes the Deployment that controls the ReplicaSet and the one that did before; for an orphan, every Deployment
// that may adopt it.
func (c *Controller) onSet(e informer.Event[*appsv1.ReplicaSet]) {
	rs := e.Object()
	namespace := rs.GetMetadata().GetNamespace()
	ref := owner.ControllerOf(rs.GetMetadata())
	if e.Old != nil {
		if before := owner.ControllerOf(e.Old.GetMetadata()); before.GetUid() != ref.GetUid() && before.GetKind() == kind {
			c.Add(controller.Key{Namespace: namespace, Name: before.GetName()})
		}
	}
	if ref != nil {
		if ref.GetKind() == kind {
			c.Add(controller.Key{Namespace: namespace, Name: ref.GetName()})
		}
		return
	}
	if e.Type == informer.Deleted {
		return
	}
	for _, d := range c.deployments.ByIndex(caches.Namespace, namespace) {
		if sel, err := selector.Compile(d.GetSpec().GetSelector()); err == nil && sel.Matches(rs.GetMetadata().GetLabels()) {
			c.Add(controller.KeyOf(d))
		}
	}
}

// onPod wakes a Deployment of strategy Recreate when a pod has ended: the new pods wait for the last of the old.
func (c *Controller) onPod(e informer.Event[*corev1.Pod]) {
	pod := e.Object()
	if e.Type != informer.Deleted && (e.Old == nil || podstate.Terminal(e.Old) || !podstate.Terminal(pod)) {
		return
	}
	ref := owner.ControllerOf(pod.GetMetadata())
	if ref.GetKind() != "ReplicaSet" {
		return
	}
	rs, ok := c.sets.Get(pod.GetMetadata().GetNamespace(), ref.GetName())
	if !ok {
		return
	}
	d, ok := c.deployments.Get(rs.GetMetadata().GetNamespace(), owner.ControllerOf(rs.GetMetadata()).GetName())
	if ok && !rolling(d) {
		c.Add(controller.KeyOf(d))
	}
}

// Reconcile moves one Deployment on.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	d, ok := c.deployments.Get(key.Namespace, key.Name)
	if !ok {
		return nil
	}
	sel, err := selector.Compile(d.GetSpec().GetSelector())
	if err != nil || sel.Everything() {
		c.Log().Warn("the selector selects nothing or everything, ignoring the deployment", zap.Stringer("key", key), zap.Error(err))
		return nil
	}
	sets, err := c.claim(ctx, key, d, sel)
	if errors.Is(err, errClaimed) {
		// The caches are behind what was just written; the next pass waits for them.
		c.Add(key)
		return nil
	}
	if err != nil {
		return err
	}
	decided := plan(state{d: d, sets: sets, podsRun: c.podsRun, now: c.env.Now()})
	if decided.again > 0 {
		c.AddAfter(key, decided.again)
	}
	return c.apply(ctx, key, d, decided)
}

// podsRun tells whether any pod of the ReplicaSet has not finished.
func (c *Controller) podsRun(rs *appsv1.ReplicaSet) bool {
	for _, pod := range c.pods.ByIndex(caches.Controller, rs.GetMetadata().GetUid()) {
		if !podstate.Terminal(pod) {
			return true
		}
	}
	return false
}

// errClaimed says that ReplicaSets were adopted or released.
var errClaimed = errors.New("claimed")

// claim returns the ReplicaSets that the Deployment controls. Where some have to be adopted or released it does only
// that, and returns errClaimed.
func (c *Controller) claim(ctx context.Context, key controller.Key, d *appsv1.Deployment, sel selector.Selector) ([]*appsv1.ReplicaSet, error) {
	var owned, adopt, release []*appsv1.ReplicaSet
	all := append(c.sets.ByIndex(caches.Controller, d.GetMetadata().GetUid()), c.sets.ByIndex(caches.Orphan, key.Namespace)...)
	for _, rs := range all {
		switch owner.Decide(d.GetMetadata(), rs.GetMetadata(), sel.Matches(rs.GetMetadata().GetLabels())) {
		case owner.Keep:
			owned = append(owned, rs)
		case owner.Adopt:
			adopt = append(adopt, rs)
		case owner.Release:
			release = append(release, rs)
		}
	}
	if len(adopt)+len(release) == 0 {
		return owned, nil
	}
	if len(adopt) > 0 {
		live, err := c.client.Get(ctx, key.Namespace, key.Name)
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("reading the deployment before adoption: %w", err)
		}
		if err != nil || live.GetMetadata().GetUid() != d.GetMetadata().GetUid() || live.GetMetadata().GetDeletionTimestamp() != nil {
			adopt = nil
		}
	}
	if len(adopt)+len(release) == 0 {
		return owned, nil
	}
	if err := c.reassign(ctx, key, d, adopt, release); err != nil {
		return nil, err
	}
	return nil, errClaimed
}

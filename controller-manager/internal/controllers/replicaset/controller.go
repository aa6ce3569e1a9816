package replicaset

import (
	"context"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"go.uber.org/zap"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/podset"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// Name of the controller.
const Name = "replicaset"

const workers = 16

// Controller reconciles ReplicaSets, or objects of another kind that are like them.
type Controller[T client.Object] struct {
	*podset.Keeper[T]
	like like[T]
}

// like views an object as a ReplicaSet and takes the status back. The view shares the object's parts.
type like[T client.Object] struct {
	set        func(T) *appsv1.ReplicaSet
	withStatus func(T, *appsv1.ReplicaSetStatus) T
}

// New makes the controller of ReplicaSets and subscribes it to the caches.
func New(env *controller.Env) *Controller[*appsv1.ReplicaSet] {
	return newController(env, Name, "replicaset-controller", like[*appsv1.ReplicaSet]{
		set: func(set *appsv1.ReplicaSet) *appsv1.ReplicaSet { return set },
		withStatus: func(set *appsv1.ReplicaSet, s *appsv1.ReplicaSetStatus) *appsv1.ReplicaSet {
			return &appsv1.ReplicaSet{Metadata: set.GetMetadata(), Spec: set.GetSpec(), Status: s}
		},
	})
}

func newController[T client.Object](env *controller.Env, name, component string, l like[T]) *Controller[T] {
	return &Controller[T]{like: l, Keeper: podset.New(env, podset.Options[T]{
		Name: name, Component: component, Workers: workers,
		Selector: func(obj T) (selector.Selector, error) { return selector.Compile(l.set(obj).GetSpec().GetSelector()) },
	})}
}

// Run reconciles until ctx ends.
func (c *Controller[T]) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// Reconcile brings one object's pods and status up to date.
func (c *Controller[T]) Reconcile(ctx context.Context, key controller.Key) error {
	obj, ok := c.Owners.Get(key.Namespace, key.Name)
	if !ok {
		return nil
	}
	set := c.like.set(obj)
	sel, err := selector.Compile(set.GetSpec().GetSelector())
	if err != nil || sel.Everything() || sel.Nothing() {
		c.Log().Warn("the selector selects nothing or everything, ignoring the object", zap.Stringer("key", key), zap.Error(err))
		return nil
	}
	now := c.Env.Now()
	d := plan(state{set: set, pods: c.Candidates(obj), related: c.related(set), now: now}, sel)
	if d.claim.Changes() {
		return c.Apply(ctx, key, obj, d.claim)
	}
	failed, err := c.manage(ctx, key, obj, set, d)
	if err == nil && d.create+len(d.remove) > 0 {
		// The pods' own events bring the key back, and then the status can be right.
		return nil
	}
	s, next := status(set, d.claim.Owned, failed, now)
	if next > 0 {
		c.AddAfter(key, next)
	}
	if _, statusErr := c.WriteStatus(ctx, key, obj, c.like.withStatus(obj, s)); statusErr != nil {
		return statusErr
	}
	return err
}

// manage creates and deletes pods. The failure is for the status; the error makes the runner try again.
func (c *Controller[T]) manage(ctx context.Context, key controller.Key, obj T, set *appsv1.ReplicaSet, d decision) (failed *podset.Failure, err error) {
	switch {
	case d.create > 0:
		// All pods are made of the same bytes.
		_, failed, err = c.CreateCopies(ctx, key, obj, podset.NewPod(obj, set.GetSpec().GetTemplate()), d.create)
	case len(d.remove) > 0:
		_, failed, err = c.Remove(ctx, key, obj, d.remove)
	}
	return failed, err
}

// related counts, for each node, the active pods of all objects that share the object's owner, so that pods leave crowded
// nodes first also in the middle of a rollout.
func (c *Controller[T]) related(set *appsv1.ReplicaSet) map[string]int {
	uids := []string{set.GetMetadata().GetUid()}
	if uid := owner.ControllerUID(set.GetMetadata()); uid != "" {
		uids = uids[:0]
		for _, sibling := range c.Owners.ByIndex(caches.Controller, uid) {
			uids = append(uids, sibling.GetMetadata().GetUid())
		}
	}
	out := map[string]int{}
	for _, uid := range uids {
		for _, pod := range c.Pods.ByIndex(caches.Controller, uid) {
			if podstate.Active(pod) {
				out[pod.GetSpec().GetNodeName()]++
			}
		}
	}
	return out
}

package statefulset

import (
	"context"
	"errors"

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
	"github.com/keelson/keelson/controller-manager/internal/podset"
	"github.com/keelson/keelson/controller-manager/internal/revisions"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// Name of the controller.
const Name = "statefulset"

const workers = 8

// Controller reconciles StatefulSets.
type Controller struct {
	*podset.Keeper[*appsv1.StatefulSet]
	history *revisions.Keeper
	claims  *informer.Informer[*corev1.PersistentVolumeClaim]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	history := revisions.New(env, labelHash)
	c := &Controller{
		history: history, claims: caches.Of[*corev1.PersistentVolumeClaim](env.Caches),
		Keeper: podset.New(env, podset.Options[*appsv1.StatefulSet]{
			Name: Name, Component: "statefulset-controller", Workers: workers,
			Selector: func(set *appsv1.StatefulSet) (selector.Selector, error) {
				return selector.Compile(set.GetSpec().GetSelector())
			},
			Reads: []controller.Source{history.Cache(), caches.Of[*corev1.PersistentVolumeClaim](env.Caches)},
		}),
	}
	history.OnWrite(c.Wrote)
	history.Cache().OnEvent(func(e informer.Event[*appsv1.ControllerRevision]) {
		m := e.Object().GetMetadata()
		if ref := owner.ControllerOf(m); ref != nil && c.Is(ref) {
			c.Add(controller.Key{Namespace: m.GetNamespace(), Name: ref.GetName()})
		}
	})
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// Reconcile moves one set on.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	set, ok := c.Owners.Get(key.Namespace, key.Name)
	if !ok || set.GetMetadata().GetDeletionTimestamp() != nil {
		// What is being deleted gets nothing new, no revision either: the garbage collector takes care of what it owns.
		return nil
	}
	sel, err := selector.Compile(set.GetSpec().GetSelector())
	if err != nil || sel.Everything() || sel.Nothing() {
		c.Log().Warn("the selector selects nothing or everything, ignoring the set", zap.Stringer("key", key), zap.Error(err))
		return nil
	}
	claim := podset.Sort(set.GetMetadata(), c.Candidates(set), sel, func(p *corev1.Pod) bool { return member(set, p) })
	if claim.Changes() {
		return c.Apply(ctx, key, set, claim)
	}
	of := revisions.Owner{Object: set, Selector: sel, Template: set.GetSpec().GetTemplate(), Collisions: set.GetStatus().GetCollisionCount()}
	have, err := c.history.List(ctx, key, of)
	if err != nil {
		return err
	}
	update, err := c.history.Sync(ctx, key, of, have)
	if errors.Is(err, revisions.ErrTerminating) {
		return nil
	}
	if errors.Is(err, revisions.ErrCollision) {
		return c.collided(ctx, key, set)
	}
	if err != nil {
		return err
	}
	s := state{set: set, current: update, update: update, pods: claim.Owned, now: c.Env.Now()}
	for _, r := range have {
		if r.Name() == set.GetStatus().GetCurrentRevision() && r.Template != nil {
			s.current = r
		}
	}
	d := plan(s)
	if d.again > 0 {
		c.AddAfter(key, d.again)
	}
	err = c.do(ctx, key, set, d)
	out := &appsv1.StatefulSet{Metadata: set.GetMetadata(), Spec: set.GetSpec(), Status: status(s, of.Collisions, d)}
	if _, statusErr := c.WriteStatus(ctx, key, set, out); statusErr != nil {
		return errors.Join(err, statusErr)
	}
	if err != nil {
		return err
	}
	live := map[string]bool{s.current.Name(): true, update.Name(): true}
	for _, pod := range claim.Owned {
		live[revisionOf(pod)] = true
	}
	limit := int32(10)
	if n := set.GetSpec().RevisionHistoryLimit; n != nil {
		limit = *n
	}
	return c.history.Truncate(ctx, key, have, limit, func(r *revisions.Revision) bool { return live[r.Name()] })
}

// collided raises the count of collisions, which gives the next revision another name.
func (c *Controller) collided(ctx context.Context, key controller.Key, set *appsv1.StatefulSet) error {
	changed := proto.CloneOf(set)
	if changed.Status == nil {
		changed.Status = &appsv1.StatefulSetStatus{}
	}
	changed.Status.CollisionCount = proto.Int32(changed.Status.GetCollisionCount() + 1)
	written, err := c.Client.UpdateStatus(ctx, changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		c.Wrote(key, c.Owners, client.Revision(written))
		c.Add(key)
	}
	return err
}

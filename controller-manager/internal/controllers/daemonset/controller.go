package daemonset

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

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
const Name = "daemonset"

const workers = 4

// Controller reconciles DaemonSets.
type Controller struct {
	*podset.Keeper[*appsv1.DaemonSet]
	history *revisions.Keeper
	nodes   *informer.Informer[*corev1.Node]
	patient patience
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	history, nodes := revisions.New(env, labelHash), caches.Nodes(env.Caches)
	c := &Controller{
		history: history, nodes: nodes, patient: patience{failures: map[place]failure{}},
		Keeper: podset.New(env, podset.Options[*appsv1.DaemonSet]{
			Name: Name, Component: "daemonset-controller", Workers: workers,
			Selector: func(ds *appsv1.DaemonSet) (selector.Selector, error) {
				return selector.Compile(ds.GetSpec().GetSelector())
			},
			Reads: []controller.Source{history.Cache(), nodes},
		}),
	}
	history.OnWrite(c.Wrote)
	history.Cache().OnEvent(func(e informer.Event[*appsv1.ControllerRevision]) {
		m := e.Object().GetMetadata()
		if ref := owner.ControllerOf(m); ref != nil && c.Is(ref) {
			c.Add(controller.Key{Namespace: m.GetNamespace(), Name: ref.GetName()})
		}
	})
	nodes.OnEvent(func(e informer.Event[*corev1.Node]) {
		if e.Type == informer.Updated && sameNode(e.Old, e.New) {
			return
		}
		for _, ds := range c.Owners.List() {
			c.Add(controller.KeyOf(ds))
		}
	})
	return c
}

// sameNode reports whether two states of a node admit the same pods.
func sameNode(a, b *corev1.Node) bool {
	return maps.Equal(a.GetMetadata().GetLabels(), b.GetMetadata().GetLabels()) &&
		slices.EqualFunc(a.GetSpec().GetTaints(), b.GetSpec().GetTaints(), func(x, y *corev1.Taint) bool { return proto.Equal(x, y) })
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// Reconcile moves one DaemonSet on.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	ds, ok := c.Owners.Get(key.Namespace, key.Name)
	if !ok || ds.GetMetadata().GetDeletionTimestamp() != nil {
		// What is being deleted gets nothing new, no revision either: the garbage collector takes care of what it owns.
		return nil
	}
	sel, err := selector.Compile(ds.GetSpec().GetSelector())
	if err != nil || sel.Nothing() {
		c.Log().Warn("the selector selects nothing, ignoring the daemon set", zap.Stringer("key", key), zap.Error(err))
		return nil
	}
	if sel.Everything() {
		c.Events.Event(ds, controller.Warning, "SelectingAll", "This daemon set is selecting all pods. A non-empty selector is required.")
		return nil
	}
	claim := podset.Sort(ds.GetMetadata(), c.Candidates(ds), sel, nil)
	if claim.Changes() {
		return c.Apply(ctx, key, ds, claim)
	}
	of := revisions.Owner{Object: ds, Selector: sel, Template: ds.GetSpec().GetTemplate(), Collisions: ds.GetStatus().GetCollisionCount()}
	have, err := c.history.List(ctx, key, of)
	if err != nil {
		return err
	}
	current, err := c.history.Sync(ctx, key, of, have)
	if errors.Is(err, revisions.ErrTerminating) {
		return nil
	}
	if errors.Is(err, revisions.ErrCollision) {
		return c.collided(ctx, key, ds)
	}
	if err != nil {
		return err
	}
	p := newPlanner(state{
		ds: ds, nodes: c.nodes.List(), pods: claim.Owned, hash: current.Hash(labelHash), now: c.Env.Now(),
		mayReplace: func(node string) time.Duration { return c.patient.wait(ds.GetMetadata().GetUid(), node, c.Env.Now()) },
	})
	d := p.plan()
	err = c.do(ctx, key, ds, current.Hash(labelHash), d)
	out := &appsv1.DaemonSet{Metadata: ds.GetMetadata(), Spec: ds.GetSpec(), Status: p.status(of.Collisions)}
	if p.out.again > 0 {
		c.AddAfter(key, p.out.again)
	}
	if _, statusErr := c.WriteStatus(ctx, key, ds, out); statusErr != nil || err != nil {
		return errors.Join(err, statusErr)
	}
	live := map[string]bool{current.Hash(labelHash): true}
	for _, pod := range claim.Owned {
		live[pod.GetMetadata().GetLabels()[labelHash]] = true
	}
	limit := int32(10)
	if n := ds.GetSpec().RevisionHistoryLimit; n != nil {
		limit = *n
	}
	return c.history.Truncate(ctx, key, have, limit, func(r *revisions.Revision) bool { return live[r.Hash(labelHash)] })
}

// do carries a decision out: deletions first, which make room.
func (c *Controller) do(ctx context.Context, key controller.Key, ds *appsv1.DaemonSet, hash string, d decision) error {
	for _, pod := range d.failed {
		c.patient.failed(ds.GetMetadata().GetUid(), nodeOf(pod), c.Env.Now())
		c.Events.Event(ds, controller.Warning, "FailedDaemonPod", "Found failed daemon pod %s on node %s, will try to kill it", client.KeyOf(pod), nodeOf(pod))
	}
	for _, pod := range d.succeeded {
		c.Events.Event(ds, controller.Normal, "SucceededDaemonPod", "Found succeeded daemon pod %s on node %s, will try to delete it", client.KeyOf(pod), nodeOf(pod))
	}
	_, _, removeErr := c.Remove(ctx, key, ds, d.remove[:min(len(d.remove), podset.Burst)])
	pods := make([]*corev1.Pod, 0, len(d.create))
	for _, node := range d.create[:min(len(d.create), podset.Burst)] {
		pods = append(pods, newPod(ds, node, hash))
	}
	_, _, createErr := c.Create(ctx, key, ds, pods)
	return errors.Join(removeErr, createErr)
}

// collided raises the count of collisions, which gives the next revision another name.
func (c *Controller) collided(ctx context.Context, key controller.Key, ds *appsv1.DaemonSet) error {
	changed := proto.CloneOf(ds)
	if changed.Status == nil {
		changed.Status = &appsv1.DaemonSetStatus{}
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

// patience spreads the replacement of pods that fail again and again on a node.
type patience struct {
	mu       sync.Mutex
	failures map[place]failure
}

type place struct{ uid, node string }

type failure struct {
	at    time.Time
	delay time.Duration
}

// A pod that has failed is replaced at once, the next after 1 s, and so on; after twice the longest delay without a
// failure all is forgotten.
const (
	firstDelay = time.Second
	lastDelay  = 15 * time.Minute
)

// wait is how long a failed pod of a node has to stay.
func (p *patience) wait(uid, node string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.failures[place{uid, node}]
	return max(f.at.Add(f.delay).Sub(now), 0)
}

func (p *patience) failed(uid, node string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.failures, func(_ place, f failure) bool { return now.Sub(f.at) > 2*lastDelay })
	f := p.failures[place{uid, node}]
	p.failures[place{uid, node}] = failure{at: now, delay: min(max(2*f.delay, firstDelay), lastDelay)}
}

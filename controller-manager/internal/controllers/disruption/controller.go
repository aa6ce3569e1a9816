package disruption

import (
	"context"
	"fmt"
	"maps"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// Name of the controller.
const Name = "disruption"

const workers = 8

// Controller reconciles PodDisruptionBudgets.
type Controller struct {
	*controller.Runner[controller.Key]
	env     *controller.Env
	events  controller.Recorder
	budgets *informer.Informer[*policyv1.PodDisruptionBudget]
	pods    *informer.Informer[*corev1.Pod]
	scales  *scales
	client  *client.Client[*policyv1.PodDisruptionBudget]
	stale   *stale
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{
		env: env, events: env.Recorder("controllermanager"),
		budgets: caches.Of[*policyv1.PodDisruptionBudget](env.Caches), pods: caches.Pods(env.Caches),
		scales: newScales(env), client: client.For[*policyv1.PodDisruptionBudget](env.Conn),
	}
	c.stale = newStale(env, c.pods)
	s := c.scales
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.budgets, c.pods, s.deployments, s.sets, s.stateful, s.replication, env.All())
	c.budgets.OnEvent(func(e informer.Event[*policyv1.PodDisruptionBudget]) { c.Add(controller.KeyOf(e.Object())) })
	c.pods.OnEvent(func(e informer.Event[*corev1.Pod]) {
		if e.Old != nil && e.New != nil && same(e.Old, e.New) {
			return
		}
		c.wake(e.Old.GetMetadata())
		c.wake(e.New.GetMetadata())
	})
	wakeByScale(c, s.deployments)
	wakeByScale(c, s.sets)
	wakeByScale(c, s.stateful)
	wakeByScale(c, s.replication)
	return c
}

// same reports whether two states of a pod count alike.
func same(a, b *corev1.Pod) bool {
	x, y := a.GetMetadata(), b.GetMetadata()
	return podstate.Ready(a) == podstate.Ready(b) && maps.Equal(x.GetLabels(), y.GetLabels()) &&
		(x.GetDeletionTimestamp() == nil) == (y.GetDeletionTimestamp() == nil) &&
		proto.Equal(&metav1.ObjectMeta{OwnerReferences: x.GetOwnerReferences()}, &metav1.ObjectMeta{OwnerReferences: y.GetOwnerReferences()})
}

// wake adds the budgets that select a pod.
func (c *Controller) wake(m *metav1.ObjectMeta) {
	if m == nil {
		return
	}
	for _, pdb := range c.budgets.ByIndex(caches.Namespace, m.GetNamespace()) {
		if sel, err := selector.Compile(pdb.GetSpec().GetSelector()); err == nil && sel.Matches(m.GetLabels()) {
			c.Add(controller.KeyOf(pdb))
		}
	}
}

// wakeByScale adds the budgets of a namespace in which some scale has changed; there are few of either.
func wakeByScale[T interface {
	client.Object
	comparable
}](c *Controller, objects *informer.Informer[T]) {
	objects.OnEvent(func(e informer.Event[T]) {
		if e.Type == informer.Updated && e.Old.GetMetadata().GetGeneration() == e.New.GetMetadata().GetGeneration() {
			return
		}
		for _, pdb := range c.budgets.ByIndex(caches.Namespace, e.Object().GetMetadata().GetNamespace()) {
			c.Add(controller.KeyOf(pdb))
		}
	})
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.Runner.Run(ctx, c.Reconcile) })
	g.Go(func() error { return c.stale.Run(ctx) })
	return g.Wait()
}

// Reconcile computes one budget.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	pdb, ok := c.budgets.Get(key.Namespace, key.Name)
	if !ok {
		return nil
	}
	now := c.env.Now()
	s, failed := c.compute(ctx, key, pdb)
	if failed != nil {
		s = unknown(pdb, failed, now)
	}
	if !proto.Equal(s, pdb.GetStatus()) {
		written, err := c.client.UpdateStatus(ctx, &policyv1.PodDisruptionBudget{Metadata: pdb.GetMetadata(), Spec: pdb.GetSpec(), Status: s})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return fmt.Errorf("updating the status: %w", err)
		}
		c.Wrote(key, c.budgets, client.Revision(written))
	}
	return failed
}

func (c *Controller) compute(ctx context.Context, key controller.Key, pdb *policyv1.PodDisruptionBudget) (*policyv1.PodDisruptionBudgetStatus, error) {
	sel, err := selector.Compile(pdb.GetSpec().GetSelector())
	if err != nil {
		return nil, err
	}
	var pods []*corev1.Pod
	for _, pod := range c.pods.ByIndex(caches.Namespace, key.Namespace) {
		if sel.Matches(pod.GetMetadata().GetLabels()) {
			pods = append(pods, pod)
		}
	}
	if len(pods) == 0 {
		c.events.Event(pdb, controller.Normal, "NoPods", "No matching pods found")
	}
	d, err := demanded(pdb, pods, func(namespace string, ref *metav1.OwnerReference) (string, int, error) {
		return c.scales.of(ctx, namespace, ref)
	})
	if err != nil {
		c.events.Event(pdb, controller.Warning, "CalculateExpectedPodCountFailed", "Failed to calculate the number of expected pods: %v", err)
		return nil, err
	}
	if len(d.unmanaged) > 0 {
		c.events.Event(pdb, controller.Warning, "UnmanagedPods", "Pods selected by this PodDisruptionBudget (selector: %v) were found "+
			"to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. "+
			"To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.", pdb.GetSpec().GetSelector())
	}
	now := c.env.Now()
	going, late, next := evicted(pdb, pods, now)
	for _, pod := range late {
		c.events.Event(pod, controller.Warning, "NotDeleted", "Pod was expected by PDB %s to be deleted but it wasn't", key)
	}
	if next > 0 {
		c.AddAfter(key, next)
	}
	return status(pdb, pods, d, going, now), nil
}

package namespace

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/allkinds"
	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
)

// Name of the controller.
const Name = "namespace"

const (
	workers   = 8
	finalizer = "kubernetes"
	// recheck is how soon a namespace is looked at again while something is left. What is left mostly tells by its own
	// deletion; this is for kinds that are not watched.
	recheck = 5 * time.Second
)

// Controller reconciles Namespaces; its keys are their names.
type Controller struct {
	*controller.Runner[string]
	env        *controller.Env
	namespaces *informer.Informer[*corev1.Namespace]
	client     *client.Client[*corev1.Namespace]
	all        *allkinds.Set
	fixed      []*client.Client[allkinds.Object]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{
		env:        env,
		namespaces: caches.Namespaces(env.Caches),
		client:     client.For[*corev1.Namespace](env.Conn),
		all:        env.All(),
	}
	for _, k := range allkinds.Stored(env.Registry) {
		if k.Namespaced {
			c.fixed = append(c.fixed, client.Metadata(env.Conn, k))
		}
	}
	c.Runner = controller.RunnerOf[string](env, Name, workers, c.namespaces, c.all)
	c.namespaces.OnEvent(func(e informer.Event[*corev1.Namespace]) {
		if e.Type != informer.Deleted && e.New.GetMetadata().GetDeletionTimestamp() != nil {
			c.Add(e.New.GetMetadata().GetName())
		}
	})
	c.all.OnEvent(c.onContent)
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// onContent looks at a namespace again when something of it is gone, or will not go.
func (c *Controller) onContent(k *allkinds.Kind, e allkinds.Event) {
	if e.Type != informer.Deleted || !k.Namespaced {
		return
	}
	ns, ok := c.namespaces.Get("", e.Old.GetMetadata().GetNamespace())
	if ok && ns.GetMetadata().GetDeletionTimestamp() != nil {
		c.Add(ns.GetMetadata().GetName())
	}
}

// Reconcile moves the deletion of one namespace on.
func (c *Controller) Reconcile(ctx context.Context, name string) error {
	ns, ok := c.namespaces.Get("", name)
	if !ok || ns.GetMetadata().GetDeletionTimestamp() == nil || !slices.Contains(ns.GetSpec().GetFinalizers(), finalizer) {
		return nil
	}
	// A custom kind that came before the namespace was deleted may have objects in it.
	if err := c.all.WaitFor(ctx, client.Revision(ns)); err != nil {
		return fmt.Errorf("waiting for the definitions of custom kinds: %w", err)
	}
	found := c.clear(ctx, name)
	if found.empty() {
		return c.finalize(ctx, ns)
	}
	c.AddAfter(name, recheck)
	if err := c.setConditions(ctx, name, ns, found); err != nil {
		return err
	}
	if len(found.errors) > 0 {
		return fmt.Errorf("emptying namespace %s: %v", name, found.errors)
	}
	return nil
}

func (c *Controller) setConditions(ctx context.Context, name string, ns *corev1.Namespace, found report) error {
	changed := proto.CloneOf(ns)
	if changed.Status == nil {
		changed.Status = &corev1.NamespaceStatus{}
	}
	changed.Status.Phase = "Terminating"
	changed.Status.Conditions = found.conditions(ns.GetStatus().GetConditions(), c.env.Now())
	if changed.Status.Phase == ns.GetStatus().GetPhase() && sameConditions(changed.Status.Conditions, ns.GetStatus().GetConditions()) {
		return nil
	}
	written, err := c.client.UpdateStatus(ctx, changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing conditions: %w", err)
	}
	c.Wrote(name, c.namespaces, client.Revision(written))
	return nil
}

// finalize lets the namespace go: without its last finalizer the server removes it.
func (c *Controller) finalize(ctx context.Context, ns *corev1.Namespace) error {
	changed := proto.CloneOf(ns)
	changed.Spec.Finalizers = slices.DeleteFunc(changed.Spec.Finalizers, func(f string) bool { return f == finalizer })
	written, err := c.client.UpdateSubresource(ctx, "finalize", changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finalizing namespace %s: %w", ns.GetMetadata().GetName(), err)
	}
	c.Wrote(ns.GetMetadata().GetName(), c.namespaces, client.Revision(written))
	return nil
}

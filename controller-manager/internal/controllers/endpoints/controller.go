package endpoints

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/informer"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/selecting"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// Name of the controller.
const Name = "endpoints"

const workers = 4

// Controller reconciles the Endpoints of Services.
type Controller struct {
	*controller.Runner[controller.Key]
	env       *controller.Env
	services  *informer.Informer[*corev1.Service]
	pods      *informer.Informer[*corev1.Pod]
	endpoints *informer.Informer[*corev1.Endpoints]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{
		env:       env,
		services:  caches.Services(env.Caches),
		pods:      caches.Pods(env.Caches),
		endpoints: caches.Endpoints(env.Caches),
	}
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.services, c.pods, c.endpoints)
	c.services.OnEvent(func(e informer.Event[*corev1.Service]) { c.Add(controller.KeyOf(e.Object())) })
	c.pods.OnEvent(selecting.OnPod(c.services, c.Add))
	c.endpoints.OnEvent(func(e informer.Event[*corev1.Endpoints]) { c.Add(controller.KeyOf(e.Object())) })
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// Reconcile brings one Service's Endpoints up to date. Those of a Service without a selector are the user's.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	existing, exists := c.endpoints.Get(key.Namespace, key.Name)
	svc, ok := c.services.Get(key.Namespace, key.Name)
	switch {
	case !ok && exists && existing.GetMetadata().GetLabels()[labelManager] == manager:
		// Endpoints have no owner reference: they go by name.
		return c.send(ctx, key, writes.Delete(existing, nil))
	case !ok, svc.GetMetadata().GetDeletionTimestamp() != nil, !selecting.Active(svc):
		return nil
	case !exists:
		return c.send(ctx, key, writes.Create(desired(svc, selecting.Pods(c.pods, svc), nil)))
	}
	want := desired(svc, selecting.Pods(c.pods, svc), existing)
	if same(existing, want) {
		return nil
	}
	return c.send(ctx, key, writes.Update(want))
}

func (c *Controller) send(ctx context.Context, key controller.Key, w writes.Write) error {
	o := writes.One(ctx, c.env.Pipeline, w)
	switch {
	case o.Err == nil:
		c.Wrote(key, c.endpoints, o.Revision)
	case apierrors.IsNotFound(o.Err), apierrors.HasCause(o.Err, apierrors.CauseNamespaceTerminating):
	case apierrors.IsAlreadyExists(o.Err):
		// Made by someone else a moment ago; their event brings the key back.
	default:
		return fmt.Errorf("writing endpoints: %w", o.Err)
	}
	return nil
}

// Package serviceaccount gives every namespace the ServiceAccount "default", which pods use that name none.
//
// It reads Namespaces and ServiceAccounts and creates what is missing; it changes nothing that exists.
package serviceaccount

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
)

// Name of the controller.
const Name = "serviceaccount"

const (
	workers     = 2
	accountName = "default"
)

// Controller reconciles Namespaces; its keys are their names.
type Controller struct {
	*controller.Runner[string]
	namespaces *informer.Informer[*corev1.Namespace]
	accounts   *informer.Informer[*corev1.ServiceAccount]
	client     *client.Client[*corev1.ServiceAccount]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{
		namespaces: caches.Namespaces(env.Caches),
		accounts:   caches.ServiceAccounts(env.Caches),
		client:     client.For[*corev1.ServiceAccount](env.Conn),
	}
	c.Runner = controller.RunnerOf[string](env, Name, workers, c.namespaces, c.accounts)
	c.namespaces.OnEvent(func(e informer.Event[*corev1.Namespace]) {
		if e.Type != informer.Deleted {
			c.Add(e.New.GetMetadata().GetName())
		}
	})
	c.accounts.OnEvent(func(e informer.Event[*corev1.ServiceAccount]) {
		if m := e.Object().GetMetadata(); e.Type == informer.Deleted && m.GetName() == accountName {
			c.Add(m.GetNamespace())
		}
	})
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// Reconcile creates the account of one namespace where it is missing.
func (c *Controller) Reconcile(ctx context.Context, name string) error {
	ns, ok := c.namespaces.Get("", name)
	if !ok || ns.GetMetadata().GetDeletionTimestamp() != nil {
		return nil
	}
	if _, ok := c.accounts.Get(name, accountName); ok {
		return nil
	}
	written, err := c.client.Create(ctx, &corev1.ServiceAccount{Metadata: &metav1.ObjectMeta{Namespace: name, Name: accountName}})
	switch {
	case err == nil:
		c.Wrote(name, c.accounts, client.Revision(written))
	case apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err), apierrors.HasCause(err, apierrors.CauseNamespaceTerminating):
	default:
		return fmt.Errorf("creating the default service account: %w", err)
	}
	return nil
}

// Package resourcequota says how much of each ResourceQuota is used: ResourceQuota.status.
//
// It reads ResourceQuotas, Pods, Services, PersistentVolumeClaims, and the metadata of every other kind that a quota counts,
// custom ones too. It writes the status of quotas. The API server writes it as well, whenever it admits something: it adds
// what is about to be used. This controller counts what is there, which takes away what was given back.
package resourcequota

import (
	"context"
	"fmt"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/quota"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/allkinds"
	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

// Name of the controller.
const Name = "resourcequota"

const (
	workers = 5
	// gather is how long changes of objects are gathered before a quota is counted anew, which walks over all of them.
	gather = 200 * time.Millisecond
)

// Controller reconciles ResourceQuotas.
type Controller struct {
	*controller.Runner[controller.Key]
	env      *controller.Env
	quotas   *informer.Informer[*corev1.ResourceQuota]
	pods     *informer.Informer[*corev1.Pod]
	services *informer.Informer[*corev1.Service]
	claims   *informer.Informer[*corev1.PersistentVolumeClaim]
	all      *allkinds.Set
	client   *client.Client[*corev1.ResourceQuota]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{
		env: env, quotas: caches.Of[*corev1.ResourceQuota](env.Caches), pods: caches.Pods(env.Caches), services: caches.Services(env.Caches),
		claims: caches.Of[*corev1.PersistentVolumeClaim](env.Caches), all: env.All(), client: client.For[*corev1.ResourceQuota](env.Conn),
	}
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.quotas, c.pods, c.services, c.claims, c.all)
	c.quotas.OnEvent(func(e informer.Event[*corev1.ResourceQuota]) {
		switch {
		case e.Type == informer.Updated && proto.Equal(e.Old.GetSpec(), e.New.GetSpec()):
			c.AddAfter(controller.KeyOf(e.New), gather)
		case e.Type != informer.Deleted:
			c.Add(controller.KeyOf(e.New))
		}
	})
	c.pods.OnEvent(func(e informer.Event[*corev1.Pod]) {
		if e.Type != informer.Updated || podstate.Terminal(e.Old) != podstate.Terminal(e.New) || !proto.Equal(e.Old.GetSpec(), e.New.GetSpec()) ||
			(e.Old.GetMetadata().GetDeletionTimestamp() == nil) != (e.New.GetMetadata().GetDeletionTimestamp() == nil) {
			c.wake(e.Object())
		}
	})
	c.services.OnEvent(func(e informer.Event[*corev1.Service]) {
		if e.Type != informer.Updated || !proto.Equal(e.Old.GetSpec(), e.New.GetSpec()) {
			c.wake(e.Object())
		}
	})
	c.claims.OnEvent(func(e informer.Event[*corev1.PersistentVolumeClaim]) {
		if e.Type != informer.Updated || !proto.Equal(e.Old.GetSpec(), e.New.GetSpec()) {
			c.wake(e.Object())
		}
	})
	c.all.OnEvent(func(_ *allkinds.Kind, e allkinds.Event) {
		if e.Type != informer.Updated {
			c.wake(e.Object())
		}
	})
	return c
}

// wake adds the quotas of an object's namespace.
func (c *Controller) wake(obj client.Object) {
	if ns := obj.GetMetadata().GetNamespace(); ns != "" {
		for _, q := range c.quotas.ByIndex(caches.Namespace, ns) {
			c.AddAfter(controller.KeyOf(q), gather)
		}
	}
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// Reconcile counts one quota.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	q, ok := c.quotas.Get(key.Namespace, key.Name)
	if !ok || q.GetMetadata().GetDeletionTimestamp() != nil {
		return nil
	}
	counter := quota.NewCounter(q.GetSpec(), c.env.Now())
	if err := c.count(ctx, q, counter); err != nil {
		return err
	}
	status := &corev1.ResourceQuotaStatus{Hard: q.GetSpec().GetHard(), Used: counter.Used.Quantities()}
	if proto.Equal(status, q.GetStatus()) {
		return nil
	}
	written, err := c.client.UpdateStatus(ctx, &corev1.ResourceQuota{Metadata: q.GetMetadata(), Spec: q.GetSpec(), Status: status})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("updating the status: %w", err)
	}
	c.Wrote(key, c.quotas, client.Revision(written))
	return nil
}

// count adds up the objects of every kind that the quota counts. The caches are first brought to where the quota is: what
// the API server has added to it is for an object that comes right after, or was refused.
func (c *Controller) count(ctx context.Context, q *corev1.ResourceQuota, counter *quota.Counter) error {
	namespace, revision := q.GetMetadata().GetNamespace(), client.Revision(q)
	for _, k := range c.all.Kinds() {
		if !k.Namespaced || !counter.Counts(k.Group, k.Plural) {
			continue
		}
		var src controller.Source = k
		var add func()
		switch k.Group + "/" + k.Plural {
		case "/pods":
			src, add = c.pods, func() { addAll(counter, k, c.pods.ByIndex(caches.Namespace, namespace)) }
		case "/services":
			src, add = c.services, func() { addAll(counter, k, c.services.ByIndex(caches.Namespace, namespace)) }
		case "/persistentvolumeclaims":
			src, add = c.claims, func() { addAll(counter, k, c.claims.ByIndex(caches.Namespace, namespace)) }
		default:
			add = func() { addAll(counter, k, k.InNamespace(namespace)) }
		}
		if err := src.WaitFor(ctx, revision); err != nil {
			return fmt.Errorf("waiting for the cache of %s: %w", k.Plural, err)
		}
		add()
	}
	return nil
}

func addAll[T client.Object](counter *quota.Counter, k *allkinds.Kind, objects []T) {
	for _, o := range objects {
		counter.Add(k.Group, k.Plural, o)
	}
}

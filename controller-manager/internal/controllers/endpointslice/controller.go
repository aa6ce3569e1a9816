package endpointslice

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	"github.com/keelson/keelson/proto/sdk/informer"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/selecting"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// Name of the controller.
const Name = "endpointslice"

const workers = 8

// Controller reconciles the EndpointSlices of Services.
type Controller struct {
	*controller.Runner[controller.Key]
	env      *controller.Env
	services *informer.Informer[*corev1.Service]
	pods     *informer.Informer[*corev1.Pod]
	nodes    *informer.Informer[*corev1.Node]
	slices   *informer.Informer[*discoveryv1.EndpointSlice]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{
		env:      env,
		services: caches.Services(env.Caches),
		pods:     caches.Pods(env.Caches),
		nodes:    caches.Nodes(env.Caches),
		slices:   caches.EndpointSlices(env.Caches),
	}
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.services, c.pods, c.nodes, c.slices)
	c.services.OnEvent(func(e informer.Event[*corev1.Service]) { c.Add(controller.KeyOf(e.Object())) })
	c.pods.OnEvent(selecting.OnPod(c.services, c.Add))
	c.nodes.OnEvent(c.onNode)
	c.slices.OnEvent(c.onSlice)
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// onNode wakes the Services of a node's pods when the node's zone becomes known or another.
func (c *Controller) onNode(e informer.Event[*corev1.Node]) {
	node := e.Object()
	if e.Type == informer.Deleted || e.Old.GetMetadata().GetLabels()[labelZone] == node.GetMetadata().GetLabels()[labelZone] {
		return
	}
	for _, pod := range c.pods.ByIndex(caches.Node, node.GetMetadata().GetName()) {
		selecting.Services(c.services, pod, c.Add)
	}
}

// onSlice puts right what someone else did to a slice.
func (c *Controller) onSlice(e informer.Event[*discoveryv1.EndpointSlice]) {
	for _, slice := range []*discoveryv1.EndpointSlice{e.Old, e.New} {
		m := slice.GetMetadata()
		if m.GetLabels()[labelManager] == manager && m.GetLabels()[labelService] != "" {
			c.Add(controller.Key{Namespace: m.GetNamespace(), Name: m.GetLabels()[labelService]})
		}
	}
}

// Reconcile brings the slices of one Service up to date. Slices of a Service that is gone are the garbage collector's.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	svc, ok := c.services.Get(key.Namespace, key.Name)
	if !ok || svc.GetMetadata().GetDeletionTimestamp() != nil {
		return nil
	}
	existing := c.existing(key)
	var out decision
	if selecting.Active(svc) {
		out = plan(svc, selecting.Pods(c.pods, svc), existing, c.zone)
	} else {
		// The Service had a selector and has none any more: its endpoints are the user's affair now.
		out.remove = existing
	}
	return c.apply(ctx, key, out)
}

func (c *Controller) existing(key controller.Key) []*discoveryv1.EndpointSlice {
	var out []*discoveryv1.EndpointSlice
	for _, slice := range c.slices.ByIndex(caches.Service, key.String()) {
		if slice.GetMetadata().GetLabels()[labelManager] == manager {
			out = append(out, slice)
		}
	}
	return out
}

func (c *Controller) zone(name string) string {
	node, ok := c.nodes.Get("", name)
	if !ok {
		return ""
	}
	return node.GetMetadata().GetLabels()[labelZone]
}

func (c *Controller) apply(ctx context.Context, key controller.Key, out decision) error {
	// New and fuller slices first: an endpoint that moves is better in two places than in none.
	var all []writes.Write
	for _, slice := range out.create {
		all = append(all, writes.Create(slice))
	}
	for _, slice := range out.update {
		all = append(all, writes.Update(slice))
	}
	if err := c.send(ctx, key, all); err != nil || len(out.remove) == 0 {
		return err
	}
	all = all[:0]
	for _, slice := range out.remove {
		all = append(all, writes.Delete(slice, nil))
	}
	return c.send(ctx, key, all)
}

func (c *Controller) send(ctx context.Context, key controller.Key, all []writes.Write) error {
	var failed error
	for _, o := range writes.All(ctx, c.env.Pipeline, all) {
		switch {
		case o.Err == nil:
			c.Wrote(key, c.slices, o.Revision)
		case apierrors.IsNotFound(o.Err), apierrors.HasCause(o.Err, apierrors.CauseNamespaceTerminating):
		default:
			failed = o.Err
		}
	}
	if failed != nil {
		return fmt.Errorf("writing slices: %w", failed)
	}
	return nil
}

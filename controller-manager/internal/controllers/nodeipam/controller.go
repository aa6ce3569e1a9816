package nodeipam

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
)

// Name of the controller.
const Name = "nodeipam"

// everything is the one key: ranges are assigned one after the other.
const everything = "nodes"

// Controller assigns ranges to nodes.
type Controller struct {
	*controller.Runner[string]
	env    *controller.Env
	events controller.Recorder
	pool   Pool
	nodes  *informer.Informer[*corev1.Node]
	client *client.Client[*corev1.Node]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env, pool Pool) *Controller {
	c := &Controller{env: env, events: env.Recorder("cidrAllocator"), pool: pool, nodes: caches.Nodes(env.Caches), client: client.For[*corev1.Node](env.Conn)}
	c.Runner = controller.RunnerOf[string](env, Name, 1, c.nodes)
	c.nodes.OnEvent(func(e informer.Event[*corev1.Node]) {
		// A deleted node's range may be what another one waits for.
		if e.Type == informer.Deleted || e.New.GetSpec().GetPodCIDR() == "" {
			c.Add(everything)
		}
	})
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// Reconcile gives every node without a range the next free one.
func (c *Controller) Reconcile(ctx context.Context, key string) error {
	var taken []netip.Prefix
	var waiting []*corev1.Node
	for _, node := range c.nodes.List() {
		if node.GetSpec().GetPodCIDR() == "" {
			waiting = append(waiting, node)
			continue
		}
		for _, s := range append([]string{node.GetSpec().GetPodCIDR()}, node.GetSpec().GetPodCIDRs()...) {
			if p, err := netip.ParsePrefix(s); err == nil {
				taken = append(taken, p)
			}
		}
	}
	for _, node := range waiting {
		if node.GetMetadata().GetDeletionTimestamp() != nil {
			continue
		}
		part, ok := c.pool.Next(taken)
		if !ok {
			c.events.Event(node, controller.Warning, "CIDRNotAvailable", "Node %s status is now: CIDRNotAvailable", node.GetMetadata().GetName())
			return fmt.Errorf("the cluster CIDR %s has no range left for node %s", c.pool.cluster, node.GetMetadata().GetName())
		}
		if err := c.assign(ctx, key, node, part); err != nil {
			return err
		}
		taken = append(taken, part)
	}
	return nil
}

func (c *Controller) assign(ctx context.Context, key string, node *corev1.Node, part netip.Prefix) error {
	changed := proto.CloneOf(node)
	if changed.Spec == nil {
		changed.Spec = &corev1.NodeSpec{}
	}
	changed.Spec.PodCIDR = part.String()
	changed.Spec.PodCIDRs = []string{part.String()}
	written, err := c.client.Update(ctx, changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("assigning %s to node %s: %w", part, node.GetMetadata().GetName(), err)
	}
	c.Wrote(key, c.nodes, client.Revision(written))
	return nil
}

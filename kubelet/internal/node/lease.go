package node

import (
	"context"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
)

// Kubernetes' name and times of node Leases.
const (
	leaseNamespace = "kube-node-lease"
	leaseDuration  = 40 * time.Second
	renewPeriod    = 10 * time.Second
)

// Lease says by renewing a Lease that the node is alive, until ctx ends.
func (n *Node) Lease(ctx context.Context) error {
	leases := client.For[*coordinationv1.Lease](n.Conn).Trim()
	var held *coordinationv1.Lease
	for {
		wait := renewPeriod
		next, err := n.renew(ctx, leases, held)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			n.Logger.Warn("the node's lease can't be renewed yet", zap.Error(err))
			wait = time.Second
		}
		held = next
		if !client.Sleep(ctx, wait) {
			return nil
		}
	}
}

// renew writes the lease anew. It returns what was written; nil where it must be read before the next time.
func (n *Node) renew(ctx context.Context, leases *client.Client[*coordinationv1.Lease], held *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, renewPeriod)
	defer cancel()
	seconds := int32(leaseDuration / time.Second)
	if held == nil {
		have, err := leases.Get(ctx, leaseNamespace, n.Name)
		switch {
		case apierrors.IsNotFound(err):
			fresh := &coordinationv1.Lease{
				Metadata: &metav1.ObjectMeta{Namespace: leaseNamespace, Name: n.Name, OwnerReferences: n.owner()},
				Spec:     &coordinationv1.LeaseSpec{HolderIdentity: &n.Name, LeaseDurationSeconds: &seconds, RenewTime: apitime.NowMicro()},
			}
			return leases.Create(ctx, fresh)
		case err != nil:
			return nil, err
		}
		held = have
	}
	updated := proto.Clone(held).(*coordinationv1.Lease)
	if updated.Spec == nil {
		updated.Spec = &coordinationv1.LeaseSpec{}
	}
	updated.Spec.HolderIdentity, updated.Spec.LeaseDurationSeconds, updated.Spec.RenewTime = &n.Name, &seconds, apitime.NowMicro()
	if len(updated.Metadata.OwnerReferences) == 0 {
		updated.Metadata.OwnerReferences = n.owner()
	}
	written, err := leases.Update(ctx, updated)
	if err != nil {
		return nil, err
	}
	return written, nil
}

// owner makes the lease go with the node.
func (n *Node) owner() []*metav1.OwnerReference {
	node, ok := n.nodes.Get("", n.Name)
	if !ok {
		return nil
	}
	kind := client.KindOf(&corev1.Node{})
	return []*metav1.OwnerReference{{ApiVersion: kind.APIVersion(), Kind: kind.Kind, Name: n.Name, Uid: node.Metadata.Uid}}
}

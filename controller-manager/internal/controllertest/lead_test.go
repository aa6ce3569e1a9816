package controllertest

import (
	"context"
	"testing"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/embed"
)

// TestLostLead takes the lead away. The manager stops, stands by, and leads again once the thief's lease has expired.
func TestLostLead(t *testing.T) {
	c := Start(t, func(cfg *embed.Config) { cfg.LeaderElect = true }, "deployment", "replicaset")
	apitest.Create(t, c.Server, deployment("web", 2))
	apitest.Await(t, c.Server, "default", "web", func(d *appsv1.Deployment) bool { return d.GetStatus().GetReplicas() == 2 })
	const namespace, name = "kube-system", "keelson-controller-manager"
	c.Retry(func(ctx context.Context) error {
		leases := client.For[*coordinationv1.Lease](c.Conn)
		lease, err := leases.Get(ctx, namespace, name)
		if err != nil {
			return err
		}
		lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = proto.String("thief"), proto.Int32(1)
		lease.Spec.RenewTime = apitime.NowMicro()
		_, err = leases.Update(ctx, lease)
		return err
	})
	apitest.Await(t, c.Server, namespace, name, func(l *coordinationv1.Lease) bool { return l.GetSpec().GetHolderIdentity() != "thief" })
	c.change("web", func(d *appsv1.Deployment) { d.Spec.Replicas = proto.Int32(3) })
	apitest.Await(t, c.Server, "default", "web", func(d *appsv1.Deployment) bool { return d.GetStatus().GetReplicas() == 3 })
}

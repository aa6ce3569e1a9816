package leaderelection

import (
	"time"

	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/protobuf/proto"
)

var leaderGauge = promauto.NewGaugeVec(prometheus.GaugeOpts{
	Name: "leader_election_master_status", Help: "1 while this process leads.",
}, []string{"name"})

// fresh is a first lease.
func (e *elector) fresh() *coordinationv1.Lease {
	now := apitime.NowMicro()
	return &coordinationv1.Lease{
		Metadata: &metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Name},
		Spec: &coordinationv1.LeaseSpec{
			HolderIdentity: &e.Identity, LeaseDurationSeconds: seconds(e.LeaseDuration),
			AcquireTime: now, RenewTime: now, LeaseTransitions: new(int32),
		},
	}
}

// claimed is the lease taken over.
func (e *elector) claimed(old *coordinationv1.Lease) *coordinationv1.Lease {
	l := e.again(old)
	if old.GetSpec().GetHolderIdentity() != e.Identity {
		l.Spec.AcquireTime = l.Spec.RenewTime
		n := old.GetSpec().GetLeaseTransitions() + 1
		l.Spec.LeaseTransitions = &n
	}
	return l
}

// again is the lease with the present as its time of renewal.
func (e *elector) again(old *coordinationv1.Lease) *coordinationv1.Lease {
	l := proto.CloneOf(old)
	if l.Spec == nil {
		l.Spec = &coordinationv1.LeaseSpec{}
	}
	l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = &e.Identity, seconds(e.LeaseDuration)
	l.Spec.RenewTime = apitime.NowMicro()
	return l
}

// released is the lease free for others, as Kubernetes leaves it.
func (e *elector) released(old *coordinationv1.Lease) *coordinationv1.Lease {
	l := e.again(old)
	l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = new(string), proto.Int32(1)
	l.Spec.AcquireTime = l.Spec.RenewTime
	return l
}

func seconds(d time.Duration) *int32 {
	n := int32(d / time.Second)
	return &n
}

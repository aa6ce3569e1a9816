package core

import (
	"context"
	"fmt"
	"slices"
	"time"

	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// storeTimeout is how long the store may take to count as healthy.
const storeTimeout = 5 * time.Second

// Components are the hooks of component statuses, which nobody stores: a component is healthy while it renews its lease,
// the store while it answers. Of a component that has no lease, for it may be the only one of its kind and never have asked
// for one, nothing is known.
func Components(access strategy.Access, st store.Store, clock func() time.Time) strategy.Hooks {
	return strategy.Hooks{Computed: func(ctx context.Context) ([]strategy.Object, error) {
		out := []strategy.Object{
			component("controller-manager", leased(access, "kube-controller-manager", clock())),
			component("etcd-0", healthy(answers(ctx, st))),
			component("scheduler", leased(access, "kube-scheduler", clock())),
		}
		return out, nil
	}}
}

func component(name string, conditions ...*corev1.ComponentCondition) *corev1.ComponentStatus {
	return &corev1.ComponentStatus{Metadata: &metav1.ObjectMeta{Name: name}, Conditions: slices.DeleteFunc(conditions, func(c *corev1.ComponentCondition) bool { return c == nil })}
}

// healthy is the condition of what is well where err is nil.
func healthy(err error) *corev1.ComponentCondition {
	if err != nil {
		return &corev1.ComponentCondition{Type: "Healthy", Status: "False", Message: err.Error(), Error: err.Error()}
	}
	return &corev1.ComponentCondition{Type: "Healthy", Status: "True", Message: "ok"}
}

// leased is the condition of the holder of a lease; nil where there is no lease.
func leased(access strategy.Access, name string, now time.Time) *corev1.ComponentCondition {
	it, ok := access.Lookup("coordination.k8s.io", "leases", "kube-system", name)
	if !ok {
		return nil
	}
	msg, err := it.Decode()
	if err != nil {
		return healthy(err)
	}
	s := msg.(*coordinationv1.Lease).GetSpec()
	renewed := time.Unix(s.GetRenewTime().GetSeconds(), int64(s.GetRenewTime().GetNanos()))
	if since := now.Sub(renewed); since > time.Duration(s.GetLeaseDurationSeconds())*time.Second {
		return healthy(fmt.Errorf("its lease kube-system/%s was renewed %s ago", name, since.Round(time.Second)))
	}
	return healthy(nil)
}

func answers(ctx context.Context, st store.Store) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := st.List(ctx, store.Range{Prefix: "/registry/health", Limit: 1})
	return err
}

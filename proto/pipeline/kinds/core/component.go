package core

import (
	"context"
	"fmt"
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
// the store while it answers.
func Components(access strategy.Access, st store.Store, clock func() time.Time) strategy.Hooks {
	return strategy.Hooks{Computed: func(ctx context.Context) ([]strategy.Object, error) {
		out := []strategy.Object{
			component("controller-manager", leased(access, "kube-controller-manager", clock())),
			component("etcd-0", answers(ctx, st)),
			component("scheduler", leased(access, "kube-scheduler", clock())),
		}
		return out, nil
	}}
}

func component(name string, err error) *corev1.ComponentStatus {
	c := &corev1.ComponentCondition{Type: "Healthy", Status: "True", Message: "ok"}
	if err != nil {
		c.Status, c.Message, c.Error = "False", err.Error(), err.Error()
	}
	return &corev1.ComponentStatus{Metadata: &metav1.ObjectMeta{Name: name}, Conditions: []*corev1.ComponentCondition{c}}
}

func leased(access strategy.Access, name string, now time.Time) error {
	it, ok := access.Lookup("coordination.k8s.io", "leases", "kube-system", name)
	if !ok {
		return fmt.Errorf("there is no lease kube-system/%s: it has never led", name)
	}
	msg, err := it.Decode()
	if err != nil {
		return err
	}
	s := msg.(*coordinationv1.Lease).GetSpec()
	renewed := time.Unix(s.GetRenewTime().GetSeconds(), int64(s.GetRenewTime().GetNanos()))
	if since := now.Sub(renewed); since > time.Duration(s.GetLeaseDurationSeconds())*time.Second {
		return fmt.Errorf("its lease kube-system/%s was renewed %s ago", name, since.Round(time.Second))
	}
	return nil
}

func answers(ctx context.Context, st store.Store) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := st.List(ctx, store.Range{Prefix: "/registry/health", Limit: 1})
	return err
}

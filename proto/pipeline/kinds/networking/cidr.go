// Package networking holds the networking group's logic around writes.
package networking

import (
	"context"
	"time"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	networkingv1 "github.com/keelson/keelson/proto/gen/keelson/networking/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// DefaultCIDR is the ServiceCIDR that says from where Services get their addresses.
const DefaultCIDR = "kubernetes"

// CIDRs are the hooks of ServiceCIDRs. Only the server's own range gives addresses: the other objects say that they do not.
func CIDRs(clock func() time.Time) strategy.Hooks {
	return strategy.Hooks{PrepareCreate: func(_ context.Context, obj strategy.Object) {
		c := obj.(*networkingv1.ServiceCIDR)
		now := clock().Unix()
		ready := &metav1.Condition{
			Type: "Ready", Status: "True", Message: "Kubernetes default Service CIDR is ready",
			LastTransitionTime: &metav1.Time{Seconds: &now, Nanos: new(int32)},
		}
		if c.GetMetadata().GetName() != DefaultCIDR {
			ready.Status, ready.Reason = "False", "NotUsed"
			ready.Message = "Services get their addresses from --service-cluster-ip-range only"
		}
		c.Status = &networkingv1.ServiceCIDRStatus{Conditions: []*metav1.Condition{ready}}
	}}
}

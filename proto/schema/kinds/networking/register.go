// Package networking holds the logic of the networking.k8s.io group's kinds that no option can say.
package networking

import (
	networkingv1 "github.com/keelson/keelson/proto/gen/keelson/networking/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*networkingv1.Ingress]{Validate: ingress, ValidateStatus: ingressStatus})
	rule.AddKind(s, rule.TypedKind[*networkingv1.IngressClass]{Validate: ingressClass})
	rule.AddMessage(s, rule.TypedMessage[*networkingv1.NetworkPolicySpec]{Finish: defaultPolicyTypes})
	rule.AddMessage(s, rule.TypedMessage[*networkingv1.NetworkPolicyPort]{Validate: policyPort})
	rule.AddMessage(s, rule.TypedMessage[*networkingv1.NetworkPolicyPeer]{Validate: peer})
	rule.AddKind(s, rule.TypedKind[*networkingv1.NetworkPolicy]{Finish: defaultPolicy, Validate: networkPolicy})
	rule.AddKind(s, rule.TypedKind[*networkingv1.IPAddress]{Validate: address})
	rule.AddKind(s, rule.TypedKind[*networkingv1.ServiceCIDR]{Validate: serviceCIDR})
}

// Package admissionregistration holds the logic of the admissionregistration.k8s.io group's kinds that no option can
// say. Expressions are only looked at here as far as that needs no CEL; the API server's admission compiles them.
package admissionregistration

import (
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*v1.ValidatingWebhookConfiguration]{Validate: validatingWebhooks})
	rule.AddKind(s, rule.TypedKind[*v1.MutatingWebhookConfiguration]{Validate: mutatingWebhooks})
	rule.AddKind(s, rule.TypedKind[*v1.ValidatingAdmissionPolicy]{Validate: validatingPolicy})
	rule.AddKind(s, rule.TypedKind[*v1.MutatingAdmissionPolicy]{Validate: mutatingPolicy})
	rule.AddKind(s, rule.TypedKind[*v1.ValidatingAdmissionPolicyBinding]{Validate: validatingBinding})
	rule.AddKind(s, rule.TypedKind[*v1.MutatingAdmissionPolicyBinding]{Validate: mutatingBinding})
}

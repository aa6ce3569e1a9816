// Package certificates holds the logic of the certificates.k8s.io group's kinds that no option can say.
package certificates

import (
	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*certificatesv1.CertificateSigningRequest]{Validate: signingRequest, ValidateStatus: signingStatus})
	rule.AddKind(s, rule.TypedKind[*certificatesv1.ClusterTrustBundle]{Validate: trustBundle})
	rule.AddKind(s, rule.TypedKind[*certificatesv1.PodCertificateRequest]{Validate: podCertificate, ValidateStatus: podCertificateStatus})
}

package certificates

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Bounds of pods' certificates; seconds and bytes.
const (
	maxUID          = 128
	minPodSeconds   = 60 * 60
	maxOwnSeconds   = 24 * 60 * 60
	maxOtherSeconds = 91 * 24 * 60 * 60
	maxRequest      = 10 << 10
)

func podCertificate(r, old *certificatesv1.PodCertificateRequest) rule.ErrorList {
	s, at := r.GetSpec(), field.NewPath("spec")
	if s == nil {
		s = &certificatesv1.PodCertificateRequestSpec{}
	}
	if old != nil {
		if !proto.Equal(s, old.GetSpec()) {
			return rule.ErrorList{field.Invalid(at, rule.Value(s), validation.FieldImmutableErrorMsg)}
		}
		return nil
	}
	errs := SignerName(s.SignerName, at.Child("signerName"))
	for _, f := range []struct{ kind, name, uid string }{{"pod", s.PodName, s.PodUID},
		{"serviceAccount", s.ServiceAccountName, s.ServiceAccountUID}, {"node", s.NodeName, s.NodeUID}} {
		for _, msg := range validation.NameIsDNSSubdomain(f.name, false) {
			errs = append(errs, field.Invalid(at.Child(f.kind+"Name"), f.name, msg))
		}
		switch at := at.Child(f.kind + "UID"); {
		case f.uid == "":
			errs = append(errs, field.Invalid(at, f.uid, "must not be empty"))
		case len(f.uid) > maxUID:
			errs = append(errs, field.TooLong(at, f.uid, maxUID))
		}
	}
	most := int32(maxOtherSeconds)
	if host, _, _ := strings.Cut(s.SignerName, "/"); host == "kubernetes.io" || strings.HasSuffix(host, ".kubernetes.io") {
		most = maxOwnSeconds
	}
	if n := s.GetMaxExpirationSeconds(); n < minPodSeconds || n > most {
		errs = append(errs, field.Invalid(at.Child("maxExpirationSeconds"), n, fmt.Sprintf("must be in the range [%d, %d]", minPodSeconds, most)))
	}
	if len(s.StubPKCS10Request) == 0 {
		return append(errs, field.Invalid(at, field.OmitValueType{}, "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set"))
	}
	return append(errs, stub(s.StubPKCS10Request, at.Child("stubPKCS10Request"))...)
}

// stub checks the request that proves that the kubelet has the key.
func stub(request []byte, at *rule.Path) rule.ErrorList {
	bad := func(value any, detail string) rule.ErrorList { return rule.ErrorList{field.Invalid(at, value, detail)} }
	if len(request) > maxRequest {
		return rule.ErrorList{field.TooLong(at, "", maxRequest)}
	}
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return bad(field.OmitValueType{}, "must be a valid PKCS#10 CSR")
	}
	switch key := csr.PublicKey.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return bad("curve "+key.Curve.Params().Name, "elliptic public keys must use curve P256, P384, or P521")
		}
	case *rsa.PublicKey:
		if bits := key.Size() * 8; bits != 3072 && bits != 4096 {
			return bad(fmt.Sprintf("%d-bit modulus", bits), "RSA keys must have modulus size 3072 or 4096")
		}
	default:
		return bad(field.OmitValueType{}, "unknown public key type; supported types are Ed25519, ECDSA, and RSA")
	}
	if csr.CheckSignature() != nil {
		return bad(field.OmitValueType{}, "invalid signature")
	}
	return nil
}

// decision returns the condition that ends a request; empty while it is open.
func decision(s *certificatesv1.PodCertificateRequestStatus) string {
	for _, c := range s.GetConditions() {
		if c.Type == "Issued" || c.Type == "Denied" || c.Type == "Failed" {
			return c.Type
		}
	}
	return ""
}

func podCertificateStatus(r, old *certificatesv1.PodCertificateRequest) rule.ErrorList {
	s, at := r.GetStatus(), field.NewPath("status")
	var errs rule.ErrorList
	for i, c := range s.GetConditions() {
		at := at.Child("conditions").Index(i)
		switch c.Type {
		case "Issued", "Denied", "Failed":
			if i > 0 {
				errs = append(errs, field.Invalid(at.Child("type"), c.Type, `There may be at most one condition with type "Issued", "Denied", or "Failed"`))
			}
			if c.Status != "True" {
				errs = append(errs, field.NotSupported(at.Child("status"), c.Status, []string{"True"}))
			}
		default:
			errs = append(errs, field.NotSupported(at.Child("type"), c.Type, []string{"Issued", "Denied", "Failed"}))
		}
	}
	if len(errs) > 0 {
		return errs
	}
	if decision(old.GetStatus()) != "" {
		if !proto.Equal(s, old.GetStatus()) {
			return rule.ErrorList{field.Invalid(at, rule.Value(s), "immutable after PodCertificateRequest is issued, denied, or failed")}
		}
		return nil
	}
	switch chain := s.GetCertificateChain(); decision(s) {
	case "Denied", "Failed":
		if chain != "" || s.NotBefore != nil || s.NotAfter != nil || s.BeginRefreshAt != nil {
			return rule.ErrorList{field.Invalid(at, rule.Value(s), "non-condition status fields must be empty when denying or failing the PodCertificateRequest")}
		}
	case "Issued":
		return issued(s, at)
	default:
		if chain != "" || s.GetNotBefore() != nil || s.GetNotAfter() != nil || s.GetBeginRefreshAt() != nil {
			return rule.ErrorList{field.Invalid(at, rule.Value(s), "immutable until PodCertificateRequest is issued, denied, or failed")}
		}
	}
	return nil
}

func issued(s *certificatesv1.PodCertificateRequestStatus, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	chain := at.Child("certificateChain")
	leaf, _ := pem.Decode([]byte(s.CertificateChain))
	if leaf == nil {
		return rule.ErrorList{field.Invalid(chain, s.CertificateChain, "issued certificate chain must contain at least one certificate")}
	}
	cert, err := x509.ParseCertificate(leaf.Bytes)
	if err != nil {
		return rule.ErrorList{field.Invalid(chain, s.CertificateChain, "leaf certificate does not parse as valid X.509")}
	}
	for _, t := range []struct {
		name    string
		seconds int64
		set     bool
		want    int64
	}{{"notBefore", s.GetNotBefore().GetSeconds(), s.NotBefore != nil, cert.NotBefore.Unix()}, {"notAfter", s.GetNotAfter().GetSeconds(), s.NotAfter != nil, cert.NotAfter.Unix()}} {
		switch at := at.Child(t.name); {
		case !t.set:
			errs = append(errs, field.Required(at, "must be present and consistent with the issued certificate"))
		case t.seconds != t.want:
			errs = append(errs, field.Invalid(at, t.seconds, "must be set to the "+t.name+" time encoded in the leaf certificate"))
		}
	}
	if s.BeginRefreshAt == nil {
		errs = append(errs, field.Required(at.Child("beginRefreshAt"), "must be present and in the range [notbefore+10min, notafter-10min]"))
	}
	return errs
}

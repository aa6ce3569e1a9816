package certificates

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"github.com/keelson/keelson/proto/sdk/apitime"
)

// Conditions of a request.
const (
	approved = "Approved"
	denied   = "Denied"
	failed   = "Failed"
)

// How long requests are kept for people to see.
const (
	keepPending = 24 * time.Hour
	keepDecided = time.Hour
)

const kubeletClientSigner = "kubernetes.io/kube-apiserver-client-kubelet"

// kind is a kind of request that may be approved without people.
type kind struct{ subresource, message string }

var (
	selfNode = kind{"selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."}
	anyNode  = kind{"nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."}
)

func decided(r request) bool {
	for _, c := range r.GetStatus().GetConditions() {
		if c.GetType() == approved || c.GetType() == denied || c.GetType() == failed {
			return true
		}
	}
	return len(r.GetStatus().GetCertificate()) > 0
}

// recognize returns what a request may be.
func recognize(r request) []kind {
	if r.GetSpec().GetSignerName() != kubeletClientSigner {
		return nil
	}
	block, _ := pem.Decode(r.GetSpec().GetRequest())
	if block == nil {
		return nil
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || !nodeClient(csr, r.GetSpec().GetUsages()) {
		return nil
	}
	if csr.Subject.CommonName == r.GetSpec().GetUsername() {
		return []kind{selfNode, anyNode}
	}
	return []kind{anyNode}
}

// nodeClient reports whether a request is for the certificate by which the API server knows a node, and nothing else.
func nodeClient(csr *x509.CertificateRequest, usages []string) bool {
	for _, u := range usages {
		if u != "client auth" && u != "digital signature" && u != "key encipherment" {
			return false
		}
	}
	return slices.Contains(usages, "client auth") && slices.Contains(usages, "digital signature") &&
		slices.Equal(csr.Subject.Organization, []string{"system:nodes"}) && strings.HasPrefix(csr.Subject.CommonName, "system:node:") &&
		len(csr.DNSNames)+len(csr.IPAddresses)+len(csr.EmailAddresses)+len(csr.URIs) == 0
}

// expiry is when a request is to be deleted: some time after the decision, when its certificate has expired, or when
// nobody has decided for long.
func expiry(r request) time.Time {
	created := apitime.Go(r.GetMetadata().GetCreationTimestamp())
	if created.IsZero() {
		return time.Time{}
	}
	out := time.Time{}
	first := func(t time.Time) {
		if out.IsZero() || t.Before(out) {
			out = t
		}
	}
	pending := true
	for _, c := range r.GetStatus().GetConditions() {
		at := apitime.Go(c.GetLastUpdateTime())
		if at.IsZero() {
			at = created
		}
		switch c.GetType() {
		case denied, failed:
			first(at.Add(keepDecided))
			pending = false
		case approved:
			pending = false
			if len(r.GetStatus().GetCertificate()) > 0 {
				first(at.Add(keepDecided))
			}
		}
	}
	if block, _ := pem.Decode(r.GetStatus().GetCertificate()); block != nil {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			first(cert.NotAfter)
		}
	}
	if pending {
		first(created.Add(keepPending))
	}
	return out
}

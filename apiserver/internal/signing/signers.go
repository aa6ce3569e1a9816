package signing

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kubernetes' signers.
const (
	clientSigner        = "kubernetes.io/kube-apiserver-client"
	kubeletClientSigner = "kubernetes.io/kube-apiserver-client-kubelet"
	kubeletServeSigner  = "kubernetes.io/kubelet-serving"
	legacySigner        = "kubernetes.io/legacy-unknown"
)

const (
	nodePrefix = "system:node:"
	nodeGroup  = "system:nodes"

	usageSignature = "digital signature"
	usageKeys      = "key encipherment"
	usageClient    = "client auth"
	usageServer    = "server auth"
)

// check is a signer's opinion of a request.
type check func(r *x509.CertificateRequest, usages []string) error

var signers = map[string]check{
	clientSigner:        checkClient,
	kubeletClientSigner: checkKubeletClient,
	kubeletServeSigner:  checkKubeletServing,
	legacySigner:        func(*x509.CertificateRequest, []string) error { return nil },
}

func checkClient(_ *x509.CertificateRequest, usages []string) error {
	return only(usages, usageClient, usageSignature, usageKeys)
}

// only holds usages to one that must be there and others that may.
func only(usages []string, must string, may ...string) error {
	if !slices.Contains(usages, must) {
		return fmt.Errorf("usages did not contain %s", must)
	}
	for _, u := range usages {
		if u != must && !slices.Contains(may, u) {
			return fmt.Errorf("usage %q is not allowed", u)
		}
	}
	return nil
}

func checkNode(r *x509.CertificateRequest) error {
	if !slices.Equal(r.Subject.Organization, []string{nodeGroup}) {
		return errors.New("subject organization is not system:nodes")
	}
	if !strings.HasPrefix(r.Subject.CommonName, nodePrefix) {
		//lint:ignore ST1005 these are Kubernetes' words
		return errors.New("subject common name does not begin with system:node:")
	}
	if len(r.EmailAddresses) > 0 {
		return errors.New("email subjectAltNames are not allowed")
	}
	if len(r.URIs) > 0 {
		return errors.New("URI subjectAltNames are not allowed")
	}
	return nil
}

// checkKubeletClient: a node asks for the certificate by which the API server knows it.
func checkKubeletClient(r *x509.CertificateRequest, usages []string) error {
	if err := checkNode(r); err != nil {
		return err
	}
	if len(r.DNSNames) > 0 {
		return errors.New("DNS subjectAltNames are not allowed")
	}
	if len(r.IPAddresses) > 0 {
		return errors.New("IP subjectAltNames are not allowed")
	}
	return exactly(usages, usageClient)
}

// checkKubeletServing: a node asks for the certificate that it shows to those who call it.
func checkKubeletServing(r *x509.CertificateRequest, usages []string) error {
	if err := checkNode(r); err != nil {
		return err
	}
	if len(r.DNSNames)+len(r.IPAddresses) == 0 {
		return errors.New("DNS or IP subjectAltName is required")
	}
	return exactly(usages, usageServer)
}

// exactly wants the usage and that of signatures; that of keys is for RSA.
func exactly(usages []string, usage string) error {
	if !slices.Contains(usages, usageSignature) {
		return fmt.Errorf("usages did not match [%s %s]", usageSignature, usage)
	}
	return only(usages, usage, usageSignature, usageKeys)
}

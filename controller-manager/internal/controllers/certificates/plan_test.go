package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"slices"
	"testing"
	"time"

	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
)

func TestRecognize(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	node := pkix.Name{CommonName: "system:node:n1", Organization: []string{"system:nodes"}}
	usages := []string{"client auth", "digital signature"}
	for _, tc := range []struct {
		name, signer, user string
		csr                x509.CertificateRequest
		usages             []string
		want               []kind
	}{
		{"itself", kubeletClientSigner, "system:node:n1", x509.CertificateRequest{Subject: node}, usages, []kind{selfNode, anyNode}},
		{"another", kubeletClientSigner, "bootstrap", x509.CertificateRequest{Subject: node}, usages, []kind{anyNode}},
		{"another signer", "kubernetes.io/kube-apiserver-client", "system:node:n1", x509.CertificateRequest{Subject: node}, usages, nil},
		{"with an address", kubeletClientSigner, "system:node:n1", x509.CertificateRequest{Subject: node, IPAddresses: []net.IP{net.IPv4(1, 2, 3, 4)}}, usages, nil},
		{"of more groups", kubeletClientSigner, "system:node:n1", x509.CertificateRequest{Subject: pkix.Name{
			CommonName: "system:node:n1", Organization: []string{"system:nodes", "system:masters"},
		}}, usages, nil},
		{"for a server", kubeletClientSigner, "system:node:n1", x509.CertificateRequest{Subject: node}, append(usages, "server auth"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			der, err := x509.CreateCertificateRequest(rand.Reader, &tc.csr, key)
			if err != nil {
				t.Fatal(err)
			}
			r := &certificatesv1.CertificateSigningRequest{Spec: &certificatesv1.CertificateSigningRequestSpec{
				Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), SignerName: tc.signer, Username: tc.user, Usages: tc.usages,
			}}
			if got := recognize(r); !slices.Equal(got, tc.want) {
				t.Errorf("recognized as %v", got)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	made := time.Unix(1_700_000_000, 0).UTC()
	later := made.Add(time.Minute)
	for _, tc := range []struct {
		name, condition, certificate string
		want                         time.Time
	}{
		{"pending", "", "", made.Add(keepPending)},
		{"denied", denied, "", later.Add(keepDecided)},
		{"failed", failed, "", later.Add(keepDecided)},
		{"approved, not signed", approved, "", time.Time{}},
		{"signed", approved, "x", later.Add(keepDecided)},
	} {
		r := &certificatesv1.CertificateSigningRequest{
			Metadata: &metav1.ObjectMeta{CreationTimestamp: apitime.Of(made)}, Status: &certificatesv1.CertificateSigningRequestStatus{Certificate: []byte(tc.certificate)},
		}
		if tc.condition != "" {
			r.Status.Conditions = []*certificatesv1.CertificateSigningRequestCondition{{Type: tc.condition, LastUpdateTime: apitime.Of(later)}}
		}
		if got := expiry(r); !got.Equal(tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

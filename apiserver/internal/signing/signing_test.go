package signing

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"
	"google.golang.org/protobuf/proto"

	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"

	"github.com/keelson/keelson/apiserver/internal/pki"
)

func authority(t *testing.T) *pki.CA {
	t.Helper()
	a, err := pki.Open(pki.Options{
		DataDir: t.TempDir(), AdvertiseAddress: "127.0.0.1", ServiceRange: netip.MustParsePrefix("10.96.0.0/16"), Logger: zaptest.NewLogger(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a.CA
}

func request(t *testing.T, name, signer string, template *x509.CertificateRequest, usages ...string) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return &certificatesv1.CertificateSigningRequest{
		Metadata: &metav1.ObjectMeta{Name: name},
		Spec: &certificatesv1.CertificateSigningRequestSpec{
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			SignerName: signer, Usages: usages, ExpirationSeconds: proto.Int32(3600),
		},
	}
}

var (
	jane = &x509.CertificateRequest{Subject: pkix.Name{CommonName: "jane", Organization: []string{"dev"}}}
	node = &x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:n1", Organization: []string{"system:nodes"}}}
)

// TestSigning approves requests for every signer, and looks at what comes.
func TestSigning(t *testing.T) {
	ca, s := authority(t), apitest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		New(ca, zaptest.NewLogger(t)).Run(ctx, s.Pipeline())
	}()
	t.Cleanup(func() { cancel(); <-done })
	serving := *node
	serving.IPAddresses, serving.DNSNames = []net.IP{net.IPv4(10, 0, 0, 1)}, []string{"n1"}
	for _, tc := range []struct {
		name    string
		request *certificatesv1.CertificateSigningRequest
		refused string
	}{
		{"client", request(t, "client", clientSigner, jane, usageSignature, usageKeys, usageClient), ""},
		{"server auth is not for clients", request(t, "wrong", clientSigner, jane, usageServer), "usages did not contain client auth"},
		{"kubelet", request(t, "kubelet", kubeletClientSigner, node, usageSignature, usageClient), ""},
		{"no kubelet", request(t, "nobody", kubeletClientSigner, jane, usageSignature, usageClient), "subject organization is not system:nodes"},
		{"kubelet with names", request(t, "names", kubeletClientSigner, &serving, usageSignature, usageClient), "DNS subjectAltNames are not allowed"},
		{"serving", request(t, "serving", kubeletServeSigner, &serving, usageSignature, usageServer), ""},
		{"serving without names", request(t, "unnamed", kubeletServeSigner, node, usageSignature, usageServer), "DNS or IP subjectAltName is required"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := apitest.Create(t, s, tc.request)
			r.Status = &certificatesv1.CertificateSigningRequestStatus{Conditions: []*certificatesv1.CertificateSigningRequestCondition{
				{Type: "Approved", Status: "True", Reason: "Test"},
			}}
			r.Metadata.Annotations = map[string]string{"approved.by": "a test"} // who approves may say so
			if _, err := client.For[*certificatesv1.CertificateSigningRequest](s.Conn).UpdateSubresource(t.Context(), "approval", r); err != nil {
				t.Fatal(err)
			}
			r = apitest.Await(t, s, "", r.GetMetadata().GetName(), func(r *certificatesv1.CertificateSigningRequest) bool {
				return len(r.GetStatus().GetCertificate()) > 0 || len(r.GetStatus().GetConditions()) > 1
			})
			if r.Metadata.Annotations["approved.by"] == "" {
				t.Errorf("the approval brought no annotations: %v", r.Metadata)
			}
			if tc.refused != "" {
				last := r.GetStatus().GetConditions()[len(r.GetStatus().GetConditions())-1]
				if last.GetType() != "Failed" || last.GetReason() != "SignerValidationFailure" || last.GetMessage() != tc.refused {
					t.Errorf("conditions %v", r.GetStatus())
				}
				return
			}
			block, _ := pem.Decode(r.GetStatus().GetCertificate())
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := cert.Verify(x509.VerifyOptions{Roots: ca.Pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
				t.Error(err)
			}
			if left := time.Until(cert.NotAfter); left > time.Hour || left < 50*time.Minute || cert.IsCA {
				t.Errorf("valid for %s", left)
			}
		})
	}
}

func TestForeignSignersAreLeftAlone(t *testing.T) {
	r := request(t, "x", "example.com/mine", jane, usageClient)
	r.Status = &certificatesv1.CertificateSigningRequestStatus{Conditions: []*certificatesv1.CertificateSigningRequestCondition{{Type: "Approved", Status: "True"}}}
	if waits(r) {
		t.Error("a request for somebody else's signer is taken")
	}
	r.Spec.SignerName = clientSigner
	if !waits(r) {
		t.Error("an approved request is not taken")
	}
	r.Status.Conditions = nil
	if waits(r) {
		t.Error("a request that nobody has approved is taken")
	}
}

package signing

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"

	"github.com/keelson/keelson/apiserver/internal/pki"
)

// longest is how long a certificate lasts unless the request asks for less; shortest, how long at least.
const (
	longest  = 365 * 24 * time.Hour
	shortest = 10 * time.Minute
)

// errRefused is a request that its signer does not sign, now or ever.
type errRefused struct{ error }

// issue signs a request.
func issue(ca *pki.CA, r *certificatesv1.CertificateSigningRequest) ([]byte, error) {
	block, _ := pem.Decode(r.GetSpec().GetRequest())
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errRefused{errors.New("PEM block type must be CERTIFICATE REQUEST")}
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, errRefused{fmt.Errorf("unable to parse csr %q: %w", r.GetMetadata().GetName(), err)}
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, errRefused{fmt.Errorf("unable to verify certificate request signature: %w", err)}
	}
	if err := signers[r.GetSpec().GetSignerName()](csr, r.GetSpec().GetUsages()); err != nil {
		return nil, errRefused{err}
	}
	template := &x509.Certificate{
		Subject: csr.Subject, DNSNames: csr.DNSNames, IPAddresses: csr.IPAddresses, EmailAddresses: csr.EmailAddresses, URIs: csr.URIs,
		BasicConstraintsValid: true,
	}
	for _, u := range r.GetSpec().GetUsages() {
		if k, ok := keyUsages[u]; ok {
			template.KeyUsage |= k
		} else if e, ok := extendedUsages[u]; ok {
			template.ExtKeyUsage = append(template.ExtKeyUsage, e)
		} else {
			return nil, errRefused{fmt.Errorf("unrecognized usage %q", u)}
		}
	}
	lifetime := longest
	if s := r.GetSpec().ExpirationSeconds; s != nil {
		lifetime = min(max(time.Duration(*s)*time.Second, shortest), longest)
	}
	return ca.SignRequest(template, csr.PublicKey, lifetime)
}

var keyUsages = map[string]x509.KeyUsage{
	"signing": x509.KeyUsageDigitalSignature, "digital signature": x509.KeyUsageDigitalSignature,
	"content commitment": x509.KeyUsageContentCommitment, "key encipherment": x509.KeyUsageKeyEncipherment,
	"key agreement": x509.KeyUsageKeyAgreement, "data encipherment": x509.KeyUsageDataEncipherment, "cert sign": x509.KeyUsageCertSign,
	"crl sign": x509.KeyUsageCRLSign, "encipher only": x509.KeyUsageEncipherOnly, "decipher only": x509.KeyUsageDecipherOnly,
}

var extendedUsages = map[string]x509.ExtKeyUsage{
	"any": x509.ExtKeyUsageAny, "server auth": x509.ExtKeyUsageServerAuth, "client auth": x509.ExtKeyUsageClientAuth,
	"code signing": x509.ExtKeyUsageCodeSigning, "email protection": x509.ExtKeyUsageEmailProtection, "s/mime": x509.ExtKeyUsageEmailProtection,
	"ipsec end system": x509.ExtKeyUsageIPSECEndSystem, "ipsec tunnel": x509.ExtKeyUsageIPSECTunnel, "ipsec user": x509.ExtKeyUsageIPSECUser,
	"timestamping": x509.ExtKeyUsageTimeStamping, "ocsp signing": x509.ExtKeyUsageOCSPSigning,
	"microsoft sgc": x509.ExtKeyUsageMicrosoftServerGatedCrypto, "netscape sgc": x509.ExtKeyUsageNetscapeServerGatedCrypto,
}

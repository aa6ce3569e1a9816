package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"time"
)

// SignRequest issues a certificate as the template says, for a key that somebody else keeps, from now on and no longer than
// the authority itself is valid. It fills in the serial number and the time.
func (ca *CA) SignRequest(template *x509.Certificate, key crypto.PublicKey, lifetime time.Duration) ([]byte, error) {
	if ca.key == nil {
		return nil, errors.New("a certificate has to be signed but ca.key is missing: restore it")
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := ca.now()
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, now.Add(-backdate), now.Add(lifetime)
	if template.NotAfter.After(ca.Cert.NotAfter) {
		template.NotAfter = ca.Cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Cert, key, ca.key)
	if err != nil {
		return nil, err
	}
	return encodeCert(der), nil
}

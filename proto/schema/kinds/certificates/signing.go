package certificates

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation/field"

	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

const (
	minExpiration = 600
	// legacySigner stood for "any signer" in versions before 1.
	legacySigner = "kubernetes.io/legacy-unknown"
)

// Parse reads a certificate request in PEM and checks its signature.
func Parse(request []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	return csr, csr.CheckSignature()
}

func signingRequest(c, old *certificatesv1.CertificateSigningRequest) rule.ErrorList {
	if old != nil {
		// The specification is kept by the server; approval and status have rules of their own.
		return nil
	}
	s, at := c.GetSpec(), field.NewPath("spec")
	var errs rule.ErrorList
	if _, err := Parse(s.GetRequest()); err != nil {
		errs = append(errs, field.Invalid(at.Child("request"), s.GetRequest(), err.Error()))
	}
	if len(s.GetUsages()) == 0 {
		errs = append(errs, field.Required(at.Child("usages"), ""))
	}
	for i, u := range s.GetUsages() {
		if slices.Contains(s.Usages[:i], u) {
			errs = append(errs, field.Duplicate(at.Child("usages").Index(i), u))
		}
	}
	if name := s.GetSignerName(); name == legacySigner {
		errs = append(errs, field.Invalid(at.Child("signerName"), name, "the legacy signerName is not allowed via this API version"))
	} else {
		errs = append(errs, SignerName(name, at.Child("signerName"))...)
	}
	if s != nil && s.ExpirationSeconds != nil && *s.ExpirationSeconds < minExpiration {
		errs = append(errs, field.Invalid(at.Child("expirationSeconds"), *s.ExpirationSeconds, "may not specify a duration less than 600 seconds (10 minutes)"))
	}
	return errs
}

// signingStatus checks a write of the status: it may issue, but not approve.
func signingStatus(c, old *certificatesv1.CertificateSigningRequest) rule.ErrorList {
	errs := conditions(c, old)
	at := field.NewPath("status", "conditions")
	for _, kind := range []string{"Approved", "Denied"} {
		was, now := ofType(old, kind), ofType(c, kind)
		switch {
		case len(now) > len(was):
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("updates may not add a condition of type %q", kind)))
		case len(now) == len(was) && !slices.EqualFunc(now, was, func(a, b *certificatesv1.CertificateSigningRequestCondition) bool { return proto.Equal(a, b) }):
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("updates may not modify a condition of type %q", kind)))
		}
	}
	now, was := c.GetStatus().GetCertificate(), old.GetStatus().GetCertificate()
	if bytes.Equal(now, was) {
		return errs
	}
	at = field.NewPath("status", "certificate")
	if err := certificate(now); err != nil {
		errs = append(errs, field.Invalid(at, "<certificate data>", err.Error()))
	}
	if len(was) > 0 {
		errs = append(errs, field.Forbidden(at, "updates may not modify existing certificate content"))
	}
	return errs
}

// Approval checks a decision about a request.
func Approval(c, old *certificatesv1.CertificateSigningRequest) rule.ErrorList {
	return conditions(c, old)
}

func ofType(c *certificatesv1.CertificateSigningRequest, kind string) []*certificatesv1.CertificateSigningRequestCondition {
	var out []*certificatesv1.CertificateSigningRequestCondition
	for _, cond := range c.GetStatus().GetConditions() {
		if cond.Type == kind {
			out = append(out, cond)
		}
	}
	return out
}

func conditions(c, old *certificatesv1.CertificateSigningRequest) rule.ErrorList {
	var errs rule.ErrorList
	list := field.NewPath("status", "conditions")
	seen := map[string]bool{}
	for i, cond := range c.GetStatus().GetConditions() {
		at := list.Index(i)
		if cond.Type == "" {
			errs = append(errs, field.Required(at.Child("type"), ""))
		}
		allowed := []string{"False", "True", "Unknown"}
		if cond.Type == "Approved" || cond.Type == "Denied" || cond.Type == "Failed" {
			allowed = []string{"True"}
		}
		switch {
		case cond.Status == "":
			errs = append(errs, field.Required(at.Child("status"), ""))
		case !slices.Contains(allowed, cond.Status):
			errs = append(errs, field.NotSupported(at.Child("status"), cond.Status, allowed))
		}
		if seen[cond.Type] {
			errs = append(errs, field.Duplicate(at.Child("type"), cond.Type))
		}
		seen[cond.Type] = true
		if (cond.Type == "Approved" || cond.Type == "Denied") && seen["Approved"] && seen["Denied"] {
			errs = append(errs, field.Invalid(list, cond.Type, "Approved and Denied conditions are mutually exclusive"))
		}
	}
	for _, kind := range []string{"Approved", "Denied", "Failed"} {
		if len(ofType(c, kind)) < len(ofType(old, kind)) {
			errs = append(errs, field.Forbidden(list, fmt.Sprintf("updates may not remove a condition of type %q", kind)))
		}
	}
	return errs
}

// certificate checks an issued certificate, with those above it, in PEM.
func certificate(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	blocks := 0
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("only CERTIFICATE PEM blocks are allowed, found %q", block.Type)
		}
		if len(block.Headers) != 0 {
			return errors.New("no PEM block headers are permitted")
		}
		certs, err := x509.ParseCertificates(block.Bytes)
		if err != nil {
			return err
		}
		if len(certs) == 0 {
			return errors.New("found CERTIFICATE PEM block containing 0 certificates")
		}
		blocks++
		data = rest
	}
	if blocks == 0 {
		return errors.New("must contain at least one CERTIFICATE PEM block")
	}
	return nil
}

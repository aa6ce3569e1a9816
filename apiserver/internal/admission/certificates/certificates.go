// Package certificates guards certificate signing requests: who may approve, who may sign for a signer, and which
// subjects nobody gets this way.
package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

const (
	group        = "certificates.k8s.io"
	clientSigner = "kubernetes.io/kube-apiserver-client"
	masters      = identity.GroupMasters
)

// request returns the signing request and the one before where r is a write of the named subresource.
func request(r *admission.Request, op admission.Operation, sub string) (now, old *certificatesv1.CertificateSigningRequest) {
	if r.Kind.Group != group || r.Kind.Plural != "certificatesigningrequests" || r.Operation != op || r.Subresource != sub {
		return nil, nil
	}
	now, _ = r.Object.(*certificatesv1.CertificateSigningRequest)
	old, _ = r.Old.(*certificatesv1.CertificateSigningRequest)
	return now, old
}

// allowed asks whether the user may do verb for a signer, by its name or for its whole domain.
func allowed(ctx context.Context, a pipeline.Authorizer, user *identity.User, verb, signer string) (bool, error) {
	if a == nil {
		return true, nil
	}
	at := pipeline.Attributes{User: user, Verb: verb, Group: group, Version: "*", Resource: "signers", Name: signer}
	d, _, err := a.Authorize(ctx, at)
	if err == nil && d == pipeline.Allow {
		return true, nil
	}
	domain, _, _ := strings.Cut(signer, "/")
	at.Name = domain + "/*"
	d, _, err = a.Authorize(ctx, at)
	return d == pipeline.Allow, err
}

func forbid(r *admission.Request, err error) error {
	return apierrors.NewForbidden(group, "certificatesigningrequests", r.Name, err)
}

// guard lets only those write who may do verb for the signer.
func guard(ctx context.Context, a pipeline.Authorizer, r *admission.Request, verb, does, signer string) error {
	ok, err := allowed(ctx, a, r.User, verb, signer)
	if err != nil {
		return apierrors.NewInternal(err)
	}
	if !ok {
		return forbid(r, fmt.Errorf("user not permitted to %s requests with signerName %q", does, signer))
	}
	return nil
}

// Approval lets only those approve who may for the signer.
type Approval struct{ Authorizer pipeline.Authorizer }

// Name implements admission.Plugin.
func (Approval) Name() string { return "CertificateApproval" }

// Admit implements admission.Plugin; it changes nothing.
func (Approval) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (p Approval) Validate(ctx context.Context, r *admission.Request) error {
	_, old := request(r, admission.Update, "approval")
	if old == nil {
		return nil
	}
	return guard(ctx, p.Authorizer, r, "approve", "approve", old.GetSpec().GetSignerName())
}

// Signing lets only those write a certificate, or say that there will be none, who may sign for the signer.
type Signing struct{ Authorizer pipeline.Authorizer }

// Name implements admission.Plugin.
func (Signing) Name() string { return "CertificateSigning" }

// Admit implements admission.Plugin; it changes nothing.
func (Signing) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (p Signing) Validate(ctx context.Context, r *admission.Request) error {
	now, old := request(r, admission.Update, "status")
	if now == nil || old == nil {
		return nil
	}
	same := slices.EqualFunc(now.GetStatus().GetConditions(), old.GetStatus().GetConditions(),
		func(a, b *certificatesv1.CertificateSigningRequestCondition) bool { return proto.Equal(a, b) })
	if same && string(now.GetStatus().GetCertificate()) == string(old.GetStatus().GetCertificate()) {
		return nil
	}
	return guard(ctx, p.Authorizer, r, "sign", "sign", old.GetSpec().GetSignerName())
}

// SubjectRestriction keeps requests from making their owners administrators.
type SubjectRestriction struct{}

// Name implements admission.Plugin.
func (SubjectRestriction) Name() string { return "CertificateSubjectRestriction" }

// Admit implements admission.Plugin; it changes nothing.
func (SubjectRestriction) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (SubjectRestriction) Validate(_ context.Context, r *admission.Request) error {
	now, _ := request(r, admission.Create, "")
	if now == nil || now.GetSpec().GetSignerName() != clientSigner {
		return nil
	}
	block, _ := pem.Decode(now.GetSpec().GetRequest())
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return forbid(r, errors.New("failed to parse CSR: PEM block type must be CERTIFICATE REQUEST"))
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return forbid(r, fmt.Errorf("failed to parse CSR: %w", err))
	}
	if slices.Contains(csr.Subject.Organization, masters) {
		return forbid(r, fmt.Errorf("use of %s signer with %s group is not allowed", clientSigner, masters))
	}
	return nil
}

package plugins

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/schema/kinds/certificates"
)

// clientSigner issues certificates by which the API server knows a client.
const clientSigner = "kubernetes.io/kube-apiserver-client"

// CertificateSubjectRestriction keeps anybody from asking for a certificate of the cluster's administrators.
type CertificateSubjectRestriction struct{}

// Name implements admission.Plugin.
func (CertificateSubjectRestriction) Name() string { return "CertificateSubjectRestriction" }

// Admit implements admission.Plugin.
func (CertificateSubjectRestriction) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (CertificateSubjectRestriction) Validate(_ context.Context, r *admission.Request) error {
	c, ok := r.Object.(*certificatesv1.CertificateSigningRequest)
	if !ok || r.Operation != admission.Create || r.Subresource != "" || c.GetSpec().GetSignerName() != clientSigner {
		return nil
	}
	csr, err := certificates.Parse(c.Spec.Request)
	if err != nil {
		return forbidden(r, "failed to parse CSR: "+err.Error())
	}
	if slices.Contains(csr.Subject.Organization, identity.GroupMasters) {
		return forbidden(r, "use of "+clientSigner+" signer with system:masters group is not allowed")
	}
	return nil
}

func forbidden(r *admission.Request, why string) error {
	name := r.Name
	if r.Object != nil {
		name = r.Object.GetMetadata().GetName()
	}
	return apierrors.NewForbidden(r.Kind.Group, r.Kind.Plural, name, errors.New(why))
}

// MaySign tells whether a user may do something (approve, sign, attest) for a signer. The signer is asked for by its name,
// then by its domain with any path.
type MaySign func(ctx context.Context, user *identity.User, verb, signer string) (bool, error)

// Signers lets only those approve requests, issue certificates and publish roots who may do so for the signer: a right of
// its own, beside that to write the object.
type Signers struct{ May MaySign }

// Name implements admission.Plugin.
func (*Signers) Name() string { return "CertificateSigning" }

// Admit implements admission.Plugin.
func (*Signers) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (p *Signers) Validate(ctx context.Context, r *admission.Request) error {
	var verb, signer, why string
	switch o := r.Object.(type) {
	case *certificatesv1.CertificateSigningRequest:
		old, _ := r.Old.(*certificatesv1.CertificateSigningRequest)
		signer = old.GetSpec().GetSignerName()
		switch {
		case r.Operation != admission.Update:
			return nil
		case r.Subresource == "approval":
			verb, why = "approve", "approve"
		case r.Subresource == "status" && !sameIssue(o, old):
			verb, why = "sign", "sign"
		default:
			return nil
		}
	case *certificatesv1.ClusterTrustBundle:
		if signer = o.GetSpec().GetSignerName(); signer == "" || r.Operation == admission.Delete {
			return nil
		}
		verb = "attest"
	default:
		return nil
	}
	ok, err := p.May(ctx, r.User, verb, signer)
	switch {
	case err != nil:
		return err
	case ok:
		return nil
	case verb == "attest":
		return forbidden(r, "user not permitted to attest for signerName \""+signer+"\"")
	}
	return forbidden(r, "user not permitted to "+why+" requests with signerName \""+signer+"\"")
}

// sameIssue tells whether a status write leaves alone what only the signer may write.
func sameIssue(a, b *certificatesv1.CertificateSigningRequest) bool {
	failed := func(c *certificatesv1.CertificateSigningRequest) string {
		var out []string
		for _, cond := range c.GetStatus().GetConditions() {
			out = append(out, cond.Type+"="+cond.Status+":"+cond.Reason+":"+cond.Message)
		}
		return strings.Join(out, "\n")
	}
	return string(a.GetStatus().GetCertificate()) == string(b.GetStatus().GetCertificate()) && failed(a) == failed(b)
}

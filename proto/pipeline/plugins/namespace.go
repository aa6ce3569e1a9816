package plugins

import (
	"context"
	"errors"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// NamespaceLifecycle lets nothing be created in namespaces that are missing or on their way out, and keeps the
// namespaces that a cluster cannot do without.
type NamespaceLifecycle struct{ Access strategy.Access }

// Name implements admission.Plugin.
func (*NamespaceLifecycle) Name() string { return "NamespaceLifecycle" }

var immortal = map[string]bool{"default": true, "kube-system": true, "kube-public": true}

// Admit implements admission.Plugin.
func (p *NamespaceLifecycle) Admit(ctx context.Context, r *admission.Request) error {
	if r.Kind.Group == "" && r.Kind.Plural == "namespaces" {
		if r.Operation == admission.Delete && immortal[r.Name] {
			return apierrors.NewForbidden("", "namespaces", r.Name, errors.New("this namespace may not be deleted"))
		}
		return nil
	}
	// Questions about a namespace that is not there, or not for long, are answered all the same.
	if r.Operation != admission.Create || r.Namespace == "" || r.Kind.Group == "authorization.k8s.io" {
		return nil
	}
	it, err := strategy.Find(ctx, p.Access, "", "namespaces", "", r.Namespace)
	if err != nil {
		return err
	}
	if phase, _ := it.Field("status.phase"); phase == "Terminating" {
		name := r.Object.GetMetadata().GetName()
		return apierrors.NewNamespaceTerminating(r.Kind.Group, r.Kind.Plural, name, r.Namespace)
	}
	return nil
}

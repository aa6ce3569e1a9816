package plugins

import (
	"context"

	"github.com/keelson/keelson/proto/apierrors"
	networkingv1 "github.com/keelson/keelson/proto/gen/keelson/networking/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

const (
	networkingGroup     = "networking.k8s.io"
	defaultIngressClass = "ingressclass.kubernetes.io/is-default-class"
	ingressClass        = "kubernetes.io/ingress.class"
)

// DefaultIngressClass gives Ingresses that name no class the cluster's default one.
type DefaultIngressClass struct{ Access strategy.Access }

// Name implements admission.Plugin.
func (*DefaultIngressClass) Name() string { return "DefaultIngressClass" }

// Admit implements admission.Plugin.
func (p *DefaultIngressClass) Admit(_ context.Context, r *admission.Request) error {
	ingress, ok := r.Object.(*networkingv1.Ingress)
	if !ok || r.Operation != admission.Create || r.Subresource != "" || ingress.GetSpec() == nil {
		return nil
	}
	// The older annotation names a class, too.
	if _, named := ingress.GetMetadata().GetAnnotations()[ingressClass]; named || ingress.Spec.IngressClassName != nil {
		return nil
	}
	var best *networkingv1.IngressClass
	for _, it := range p.Access.Items(networkingGroup, "ingressclasses", "") {
		msg, err := it.Decode()
		if err != nil {
			return apierrors.NewInternal(err)
		}
		c := msg.(*networkingv1.IngressClass)
		// Of several defaults the newest counts, of those made in the same second the first by name.
		if c.GetMetadata().GetAnnotations()[defaultIngressClass] == "true" &&
			(best == nil || c.Metadata.GetCreationTimestamp().GetSeconds() > best.Metadata.GetCreationTimestamp().GetSeconds()) {
			best = c
		}
	}
	if best == nil {
		return nil
	}
	name := best.Metadata.Name
	ingress.Spec.IngressClassName = &name
	return nil
}

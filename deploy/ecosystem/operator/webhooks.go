package main

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	sitev1 "github.com/keelson/keelson/deploy/ecosystem/api/v1"
)

// setupWebhooks registers defaulting, validation and, because the kind is a hub, conversion.
func setupWebhooks(mgr ctrl.Manager) error {
	return ctrl.NewWebhookManagedBy(mgr, &sitev1.Site{}).WithDefaulter(defaulter{}).WithValidator(validator{}).Complete()
}

type defaulter struct{}

// Default implements admission.Defaulter.
func (defaulter) Default(_ context.Context, s *sitev1.Site) error {
	if s.Spec.Replicas == nil {
		s.Spec.Replicas = new(int32(1))
	}
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	s.Labels["web.example.com/seen"] = "true"
	return nil
}

type validator struct{}

// protected keeps a site from being deleted.
const protected = "web.example.com/protected"

// ValidateCreate implements admission.Validator.
func (validator) ValidateCreate(_ context.Context, s *sitev1.Site) (admission.Warnings, error) {
	return check(s)
}

// ValidateUpdate implements admission.Validator.
func (validator) ValidateUpdate(_ context.Context, _, s *sitev1.Site) (admission.Warnings, error) {
	return check(s)
}

// ValidateDelete implements admission.Validator.
func (validator) ValidateDelete(_ context.Context, s *sitev1.Site) (admission.Warnings, error) {
	if s.Annotations[protected] != "" {
		return nil, fmt.Errorf("site %s is protected", s.Name)
	}
	return nil, nil
}

func check(s *sitev1.Site) (admission.Warnings, error) {
	if *s.Spec.Replicas > 5 {
		err := field.Invalid(field.NewPath("spec", "replicas"), *s.Spec.Replicas, "at most 5")
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: sitev1.GroupVersion.Group, Kind: "Site"}, s.Name, field.ErrorList{err})
	}
	if *s.Spec.Replicas == 0 {
		return admission.Warnings{"spec.replicas: nobody will see the page"}, nil
	}
	return nil, nil
}

// Package reviews holds the logic of the kinds that are questions to the server, of the authentication.k8s.io and
// authorization.k8s.io groups.
package reviews

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	authenticationv1 "github.com/keelson/keelson/proto/gen/keelson/authentication/v1"
	authorizationv1 "github.com/keelson/keelson/proto/gen/keelson/authorization/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// The bounds of a token's life, in seconds.
const (
	minTokenSeconds = 10 * 60
	maxTokenSeconds = 1 << 32
)

// Register adds the groups' hooks to a set.
func Register(s *rule.Set) {
	rule.AddMessage(s, rule.TypedMessage[*authenticationv1.TokenRequestSpec]{Validate: tokenRequest})
	rule.AddMessage(s, rule.TypedMessage[*authorizationv1.SubjectAccessReviewSpec]{Validate: subjectAccess})
	rule.AddMessage(s, rule.TypedMessage[*authorizationv1.SelfSubjectAccessReviewSpec]{
		Validate: func(r *authorizationv1.SelfSubjectAccessReviewSpec, at *rule.Path) rule.ErrorList {
			return question(r.ResourceAttributes, r.NonResourceAttributes, at)
		}})
	rule.AddKind(s, rule.TypedKind[*authorizationv1.LocalSubjectAccessReview]{Validate: localAccess})
	rule.AddKind(s, rule.TypedKind[*authorizationv1.SubjectAccessReview]{
		Validate: func(r, _ *authorizationv1.SubjectAccessReview) rule.ErrorList { return noMetadata(r.GetMetadata(), "") }})
	rule.AddKind(s, rule.TypedKind[*authorizationv1.SelfSubjectAccessReview]{
		Validate: func(r, _ *authorizationv1.SelfSubjectAccessReview) rule.ErrorList {
			return noMetadata(r.GetMetadata(), "")
		}})
}

func tokenRequest(r *authenticationv1.TokenRequestSpec, at *rule.Path) rule.ErrorList {
	at = at.Child("expirationSeconds")
	switch n := r.GetExpirationSeconds(); {
	case n < minTokenSeconds:
		return rule.ErrorList{field.Invalid(at, n, "may not specify a duration less than 10 minutes")}
	case n > maxTokenSeconds:
		return rule.ErrorList{field.Invalid(at, n, "may not specify a duration larger than 2^32 seconds")}
	}
	return nil
}

func subjectAccess(r *authorizationv1.SubjectAccessReviewSpec, at *rule.Path) rule.ErrorList {
	errs := question(r.ResourceAttributes, r.NonResourceAttributes, at)
	if r.User == "" && len(r.Groups) == 0 {
		errs = append(errs, field.Invalid(at.Child("user"), r.User, "at least one of user or group must be specified"))
	}
	return errs
}

const oneQuestion = "exactly one of nonResourceAttributes or resourceAttributes must be specified"

// question checks that a review asks about one thing.
func question(resource *authorizationv1.ResourceAttributes, path *authorizationv1.NonResourceAttributes, at *rule.Path) rule.ErrorList {
	switch {
	case resource != nil && path != nil:
		return rule.ErrorList{field.Invalid(at, rule.Value(path), oneQuestion)}
	case resource == nil && path == nil:
		return rule.ErrorList{field.Invalid(at, rule.Value(resource), oneQuestion)}
	}
	return selectors(resource, at.Child("resourceAttributes"))
}

func localAccess(r, _ *authorizationv1.LocalSubjectAccessReview) rule.ErrorList {
	errs := noMetadata(r.GetMetadata(), " except for namespace")
	at := field.NewPath("spec", "resourceAttributes", "namespace")
	if ns := r.GetSpec().GetResourceAttributes().GetNamespace(); r.GetSpec().GetResourceAttributes() != nil && ns != r.GetMetadata().GetNamespace() {
		errs = append(errs, field.Invalid(at, ns, "must match metadata.namespace"))
	}
	if r.GetSpec().GetNonResourceAttributes() != nil {
		errs = append(errs, field.Invalid(field.NewPath("spec", "nonResourceAttributes"), rule.Value(r.Spec.NonResourceAttributes), "disallowed on this kind of request"))
	}
	return errs
}

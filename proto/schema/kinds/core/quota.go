package core

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

func quotaResourceName(name string, at *rule.Path) rule.ErrorList {
	errs := resourceName(name, at)
	if !strings.Contains(name, "/") && !quotaResource(name) {
		errs = append(errs, field.Invalid(at, name, "must be a standard resource for quota"))
	}
	return errs
}

// Scopes that only count some pods, and those that only count some claims.
var (
	knownScopes = []string{"Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "VolumeAttributesClass", "CrossNamespacePodAffinity"}
	podScopes   = []string{"Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"}
	podCounts   = []string{"pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"}
)

// scopeFits tells whether a resource is one of what a scope chooses.
func scopeFits(scope, name string) bool {
	switch {
	case slices.Contains(podScopes, scope):
		return slices.Contains(podCounts, name)
	case scope == "BestEffort":
		return name == "pods"
	case scope == "VolumeAttributesClass":
		return name == "persistentvolumeclaims" || name == "requests.storage"
	}
	return true
}

func resourceQuota(q, old *corev1.ResourceQuota) rule.ErrorList {
	s, at := q.GetSpec(), field.NewPath("spec")
	errs := amounts(s.GetHard(), quotaResourceName, at.Child("hard"))
	errs = append(errs, scopes(s, at.Child("scopes"))...)
	if sel := s.GetScopeSelector(); sel != nil {
		errs = append(errs, scopeSelector(s, at.Child("scopeSelector", "matchExpressions"))...)
	}
	if old != nil {
		was, now := slices.Sorted(slices.Values(old.GetSpec().GetScopes())), slices.Sorted(slices.Values(s.GetScopes()))
		if !slices.Equal(slices.Compact(was), slices.Compact(now)) {
			errs = append(errs, field.Invalid(at.Child("scopes"), s.GetScopes(), validation.FieldImmutableErrorMsg))
		}
	}
	return errs
}

func resourceQuotaStatus(q, _ *corev1.ResourceQuota) rule.ErrorList {
	at := field.NewPath("status")
	errs := amounts(q.GetStatus().GetHard(), quotaResourceName, at.Child("hard"))
	return append(errs, amounts(q.GetStatus().GetUsed(), quotaResourceName, at.Child("used"))...)
}

func conflicting(has map[string]bool) bool {
	return has["BestEffort"] && has["NotBestEffort"] || has["Terminating"] && has["NotTerminating"]
}

func scopes(s *corev1.ResourceQuotaSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	has := map[string]bool{}
	for _, scope := range s.GetScopes() {
		has[scope] = true
		if !slices.Contains(knownScopes, scope) {
			errs = append(errs, field.Invalid(at, s.Scopes, "unsupported scope"))
		}
		for _, name := range slices.Sorted(maps.Keys(s.Hard)) {
			if quotaResource(name) && !scopeFits(scope, name) {
				errs = append(errs, field.Invalid(at, s.Scopes, "unsupported scope applied to resource"))
			}
		}
	}
	if conflicting(has) {
		errs = append(errs, field.Invalid(at, s.Scopes, "conflicting scopes"))
	}
	return errs
}

func scopeSelector(s *corev1.ResourceQuotaSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	has := map[string]bool{}
	for _, r := range s.ScopeSelector.MatchExpressions {
		has[r.ScopeName] = true
		if !slices.Contains(knownScopes, r.ScopeName) {
			errs = append(errs, field.Invalid(at.Child("scopeName"), r.ScopeName, "unsupported scope"))
		}
		for _, name := range slices.Sorted(maps.Keys(s.Hard)) {
			if quotaResource(name) && !scopeFits(r.ScopeName, name) {
				errs = append(errs, field.Invalid(at, rule.Value(s.ScopeSelector), "unsupported scope applied to resource"))
			}
		}
		switch r.ScopeName {
		case "BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity":
			if r.Operator != "Exists" {
				errs = append(errs, field.Invalid(at.Child("operator"), r.Operator, "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "+
					"ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"))
			}
		}
		switch r.Operator {
		case "In", "NotIn":
			if len(r.Values) == 0 {
				errs = append(errs, field.Required(at.Child("values"), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"))
			}
		case "Exists", "DoesNotExist":
			if len(r.Values) != 0 {
				errs = append(errs, field.Invalid(at.Child("values"), r.Values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"))
			}
		default:
			errs = append(errs, field.Invalid(at.Child("operator"), r.Operator, "not a valid selector operator"))
		}
	}
	if conflicting(has) {
		errs = append(errs, field.Invalid(at, s.Scopes, "conflicting scopes"))
	}
	return errs
}

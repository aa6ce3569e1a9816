// Package policy holds the logic of the policy group's kinds that no option can say.
package policy

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*policyv1.PodDisruptionBudget]{Validate: budget, ValidateStatus: budgetStatus})
}

func budget(b, _ *policyv1.PodDisruptionBudget) rule.ErrorList {
	s, at := b.GetSpec(), field.NewPath("spec")
	var errs rule.ErrorList
	if s.GetMinAvailable() != nil && s.GetMaxUnavailable() != nil {
		errs = append(errs, field.Invalid(at, rule.Value(s), "minAvailable and maxUnavailable cannot be both set"))
	}
	errs = append(errs, amount(s.GetMinAvailable(), at.Child("minAvailable"))...)
	return append(errs, amount(s.GetMaxUnavailable(), at.Child("maxUnavailable"))...)
}

func amount(v *metav1.IntOrString, at *rule.Path) rule.ErrorList {
	switch {
	case v == nil:
		return nil
	case v.GetType() == 0:
		if v.GetIntVal() < 0 {
			return rule.ErrorList{field.Invalid(at, int64(v.GetIntVal()), validation.IsNegativeErrorMsg)}
		}
		return nil
	}
	var errs rule.ErrorList
	for _, msg := range utilvalidation.IsValidPercent(v.GetStrVal()) {
		errs = append(errs, field.Invalid(at, v.GetStrVal(), msg))
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(v.GetStrVal(), "%")); len(errs) == 0 && err == nil && n > 100 {
		errs = append(errs, field.Invalid(at, v.GetStrVal(), "must not be greater than 100%"))
	}
	return errs
}

func budgetStatus(b, _ *policyv1.PodDisruptionBudget) rule.ErrorList {
	s, at := b.GetStatus(), field.NewPath("status")
	var errs rule.ErrorList
	for _, c := range []struct {
		name string
		n    int32
	}{{"disruptionsAllowed", s.GetDisruptionsAllowed()}, {"currentHealthy", s.GetCurrentHealthy()},
		{"desiredHealthy", s.GetDesiredHealthy()}, {"expectedPods", s.GetExpectedPods()}} {
		if c.n < 0 {
			errs = append(errs, field.Invalid(at.Child(c.name), c.n, validation.IsNegativeErrorMsg))
		}
	}
	return errs
}

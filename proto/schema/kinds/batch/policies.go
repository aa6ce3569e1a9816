package batch

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

const (
	maxRules            = 20
	maxPatterns         = 20
	maxExitCodes        = 255
	maxSucceededIndexes = 64 * 1024
)

func failurePolicy(s *batchv1.JobSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	rules := s.PodFailurePolicy.Rules
	if len(rules) > maxRules {
		errs = append(errs, field.TooMany(at, len(rules), maxRules))
	}
	var names []string
	for _, c := range s.GetTemplate().GetSpec().GetContainers() {
		names = append(names, c.Name)
	}
	for _, c := range s.GetTemplate().GetSpec().GetInitContainers() {
		names = append(names, c.Name)
	}
	for i, r := range rules {
		at := at.Index(i)
		if r.Action == "" {
			errs = append(errs, field.Required(at.Child("action"), `valid values: ["Count" "FailIndex" "FailJob" "Ignore"]`))
		}
		if r.Action == "FailIndex" && s.BackoffLimitPerIndex == nil {
			errs = append(errs, field.Invalid(at.Child("action"), r.Action, "requires the backoffLimitPerIndex to be set"))
		}
		if r.OnExitCodes != nil {
			errs = append(errs, exitCodes(r.OnExitCodes, names, at.Child("onExitCodes"))...)
		}
		errs = append(errs, podConditions(r.OnPodConditions, at.Child("onPodConditions"))...)
		switch both := len(r.OnPodConditions) > 0; {
		case r.OnExitCodes != nil && both:
			errs = append(errs, field.Invalid(at, field.OmitValueType{}, "specifying both OnExitCodes and OnPodConditions is not supported"))
		case r.OnExitCodes == nil && !both:
			errs = append(errs, field.Invalid(at, field.OmitValueType{}, "specifying one of OnExitCodes and OnPodConditions is required"))
		}
	}
	return errs
}

func podConditions(patterns []*batchv1.PodFailurePolicyOnPodConditionsPattern, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if len(patterns) > maxPatterns {
		errs = append(errs, field.TooMany(at, len(patterns), maxPatterns))
	}
	for i, p := range patterns {
		at := at.Index(i)
		for _, msg := range utilvalidation.IsQualifiedName(p.Type) {
			errs = append(errs, field.Invalid(at.Child("type"), p.Type, msg))
		}
		if p.Status != "True" && p.Status != "False" && p.Status != "Unknown" {
			errs = append(errs, field.NotSupported(at.Child("status"), p.Status, []string{"False", "True", "Unknown"}))
		}
	}
	return errs
}

func exitCodes(r *batchv1.PodFailurePolicyOnExitCodesRequirement, containers []string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if r.Operator == "" {
		errs = append(errs, field.Required(at.Child("operator"), `valid values: ["In" "NotIn"]`))
	}
	if n := r.ContainerName; n != nil && !slices.Contains(containers, *n) {
		errs = append(errs, field.Invalid(at.Child("containerName"), *n, "must be one of the container or initContainer names in the pod template"))
	}
	at = at.Child("values")
	switch n := len(r.Values); {
	case n == 0:
		errs = append(errs, field.Invalid(at, []int32{}, "at least one value is required"))
	case n > maxExitCodes:
		errs = append(errs, field.TooMany(at, n, maxExitCodes))
	}
	seen := map[int32]bool{}
	for i, v := range r.Values {
		if r.Operator == "In" && v == 0 {
			errs = append(errs, field.Invalid(at.Index(i), v, "must not be 0 for the In operator"))
		}
		if seen[v] {
			errs = append(errs, field.Duplicate(at.Index(i), v))
		}
		seen[v] = true
	}
	if !slices.IsSorted(r.Values) {
		errs = append(errs, field.Invalid(at, r.Values, "must be ordered"))
	}
	return errs
}

func successPolicy(s *batchv1.JobSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	rules := s.SuccessPolicy.Rules
	if len(rules) == 0 {
		errs = append(errs, field.Required(at, "at least one rules must be specified when the successPolicy is specified"))
	}
	if len(rules) > maxRules {
		errs = append(errs, field.TooMany(at, len(rules), maxRules))
	}
	for i, r := range rules {
		errs = append(errs, successRule(r, s.GetCompletions(), at.Index(i))...)
	}
	return errs
}

func successRule(r *batchv1.SuccessPolicyRule, completions int32, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if r.SucceededCount == nil && r.SucceededIndexes == nil {
		errs = append(errs, field.Required(at, "at least one of succeededCount or succeededIndexes must be specified"))
	}
	total := 0
	if text := r.SucceededIndexes; text != nil {
		at := at.Child("succeededIndexes")
		if len(*text) > maxSucceededIndexes {
			errs = append(errs, field.TooLong(at, "", maxSucceededIndexes))
		}
		list, err := indexes(*text, completions)
		if err != nil {
			errs = append(errs, field.Invalid(at, *text, "error parsing succeededIndexes: "+err.Error()))
		}
		total = count(list)
	}
	if n := r.SucceededCount; n != nil {
		at := at.Child("succeededCount")
		if *n < 0 {
			errs = append(errs, field.Invalid(at, *n, validation.IsNegativeErrorMsg))
		}
		if *n > completions {
			errs = append(errs, field.Invalid(at, *n, fmt.Sprintf("must be less than or equal to %d (the number of specified completions)", completions)))
		}
		if r.SucceededIndexes != nil && int(*n) > total {
			errs = append(errs, field.Invalid(at, *n, fmt.Sprintf("must be less than or equal to %d (the number of indexes in the specified succeededIndexes field)", total)))
		}
	}
	return errs
}

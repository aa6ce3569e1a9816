package apps

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

func deployment(d, _ *appsv1.Deployment) rule.ErrorList {
	at := field.NewPath("spec")
	s := d.GetSpec()
	errs := template(s.GetSelector(), s.GetTemplate(), "Deployment", at)
	errs = append(errs, strategy(s.GetStrategy(), at.Child("strategy"))...)
	if n := s.GetProgressDeadlineSeconds(); s.GetProgressDeadlineSeconds() != 0 && n <= s.GetMinReadySeconds() {
		errs = append(errs, field.Invalid(at.Child("progressDeadlineSeconds"), n, "must be greater than minReadySeconds"))
	}
	return errs
}

const emptySelector = "empty selector is invalid for deployment"

// template checks a workload's selector against the labels of its pods, which it must select.
func template(selector *metav1.LabelSelector, t *corev1.PodTemplateSpec, kind string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if selector != nil && rule.EmptySelector(selector) {
		errs = append(errs, field.Invalid(at.Child("selector"), rule.Value(selector), emptySelector))
	}
	at = at.Child("template")
	if selector != nil && !rule.EmptySelector(selector) && len(rule.LabelSelector(selector, at)) == 0 &&
		!rule.Selects(selector, t.GetMetadata().GetLabels()) {
		labels := t.GetMetadata().GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		errs = append(errs, field.Invalid(at.Child("metadata", "labels"), labels, "`selector` does not match template `labels`"))
	}
	if p := t.GetSpec().GetRestartPolicy(); p != "" && p != "Always" {
		errs = append(errs, field.NotSupported(at.Child("spec", "restartPolicy"), p, []string{"Always"}))
	}
	if t.GetSpec().GetActiveDeadlineSeconds() != 0 {
		errs = append(errs, field.Forbidden(at.Child("spec", "activeDeadlineSeconds"), "activeDeadlineSeconds in "+kind+" is not Supported"))
	}
	return errs
}

func strategy(s *appsv1.DeploymentStrategy, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	switch s.GetType() {
	case "Recreate":
		if s.RollingUpdate != nil {
			errs = append(errs, field.Forbidden(at.Child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'"))
		}
	case "RollingUpdate":
		at = at.Child("rollingUpdate")
		u := s.GetRollingUpdate()
		if u == nil {
			return append(errs, field.Required(at, "this should be defaulted and never be nil"))
		}
		unavailable, e := amount(u.MaxUnavailable, at.Child("maxUnavailable"))
		errs = append(errs, e...)
		surge, e := amount(u.MaxSurge, at.Child("maxSurge"))
		errs = append(errs, e...)
		if unavailable == 0 && surge == 0 {
			errs = append(errs, field.Invalid(at.Child("maxUnavailable"), shown(u.MaxUnavailable), "may not be 0 when `maxSurge` is 0"))
		}
		if u.MaxUnavailable.GetType() == 1 && unavailable > 100 {
			errs = append(errs, field.Invalid(at.Child("maxUnavailable"), shown(u.MaxUnavailable), "must not be greater than 100%"))
		}
	}
	return errs
}

// amount checks a count or percentage and returns the number in it.
func amount(v *metav1.IntOrString, at *rule.Path) (int, rule.ErrorList) {
	if v.GetType() == 0 {
		if v.GetIntVal() < 0 {
			return 1, rule.ErrorList{field.Invalid(at, int64(v.GetIntVal()), validation.IsNegativeErrorMsg)}
		}
		return int(v.GetIntVal()), nil
	}
	var errs rule.ErrorList
	for _, msg := range utilvalidation.IsValidPercent(v.GetStrVal()) {
		errs = append(errs, field.Invalid(at, v.GetStrVal(), msg))
	}
	n, err := strconv.Atoi(strings.TrimSuffix(v.GetStrVal(), "%"))
	if err != nil {
		n = 0 // worded above already
	}
	return n, errs
}

func shown(v *metav1.IntOrString) any {
	if v.GetType() == 0 {
		return int64(v.GetIntVal())
	}
	return v.GetStrVal()
}

func deploymentStatus(d, _ *appsv1.Deployment) rule.ErrorList {
	s, at := d.GetStatus(), field.NewPath("status")
	errs := nonNegative(at, map[string]int64{"observedGeneration": s.GetObservedGeneration(), "replicas": int64(s.GetReplicas()),
		"updatedReplicas": int64(s.GetUpdatedReplicas()), "readyReplicas": int64(s.GetReadyReplicas()),
		"availableReplicas": int64(s.GetAvailableReplicas()), "unavailableReplicas": int64(s.GetUnavailableReplicas())})
	return append(errs, counts(at, s.GetReplicas(), s.GetReadyReplicas(), s.GetAvailableReplicas(), "updatedReplicas", s.GetUpdatedReplicas())...)
}

// counts checks that no number of pods is greater than that of those it is a part of.
func counts(at *rule.Path, all, ready, available int32, name string, n int32) rule.ErrorList {
	var errs rule.ErrorList
	for _, c := range []struct {
		name string
		n    int32
	}{{name, n}, {"readyReplicas", ready}, {"availableReplicas", available}} {
		if c.n > all {
			errs = append(errs, field.Invalid(at.Child(c.name), c.n, "cannot be greater than status.replicas"))
		}
	}
	if available > ready {
		errs = append(errs, field.Invalid(at.Child("availableReplicas"), available, "cannot be greater than readyReplicas"))
	}
	return errs
}

func nonNegative(at *rule.Path, values map[string]int64) rule.ErrorList {
	var errs rule.ErrorList
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] < 0 {
			errs = append(errs, field.Invalid(at.Child(name), values[name], validation.IsNegativeErrorMsg))
		}
	}
	return errs
}

func replicaSet(r, _ *appsv1.ReplicaSet) rule.ErrorList {
	return template(r.GetSpec().GetSelector(), r.GetSpec().GetTemplate(), "ReplicaSet", field.NewPath("spec"))
}

func replicaSetStatus(r, _ *appsv1.ReplicaSet) rule.ErrorList {
	s, at := r.GetStatus(), field.NewPath("status")
	errs := nonNegative(at, map[string]int64{"observedGeneration": s.GetObservedGeneration(), "replicas": int64(s.GetReplicas()),
		"readyReplicas": int64(s.GetReadyReplicas()), "availableReplicas": int64(s.GetAvailableReplicas()),
		"fullyLabeledReplicas": int64(s.GetFullyLabeledReplicas())})
	return append(errs, counts(at, s.GetReplicas(), s.GetReadyReplicas(), s.GetAvailableReplicas(), "fullyLabeledReplicas", s.GetFullyLabeledReplicas())...)
}

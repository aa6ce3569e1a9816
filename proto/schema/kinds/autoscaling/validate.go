package autoscaling

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	autoscalingv2 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v2"
	"github.com/keelson/keelson/proto/schema/kinds/core"
	"github.com/keelson/keelson/proto/schema/rule"
)

const (
	// maxWindow is the longest stabilization window in seconds, maxPeriod the longest period of a policy.
	maxWindow = 3600
	maxPeriod = 1800
)

func validate(a, _ *autoscalingv2.HorizontalPodAutoscaler) rule.ErrorList {
	at := field.NewPath("spec")
	s := a.GetSpec()
	if s == nil {
		s = &autoscalingv2.HorizontalPodAutoscalerSpec{}
	}
	var errs rule.ErrorList
	if s.MinReplicas != nil && *s.MinReplicas < 0 {
		errs = append(errs, field.Invalid(at.Child("minReplicas"), *s.MinReplicas, "must be greater than or equal to 0"))
	}
	if s.MaxReplicas == 0 {
		errs = append(errs, field.Required(at.Child("maxReplicas"), "must be set and greater than 0"))
	} else if s.MaxReplicas < 0 {
		errs = append(errs, field.Invalid(at.Child("maxReplicas"), s.MaxReplicas, "must be greater than or equal to 1"))
	}
	if s.MinReplicas != nil && s.MaxReplicas < *s.MinReplicas {
		errs = append(errs, field.Invalid(at.Child("maxReplicas"), s.MaxReplicas, "must be greater than or equal to `minReplicas`"))
	}
	errs = append(errs, reference(s.GetScaleTargetRef(), at.Child("scaleTargetRef"))...)
	scalable := false
	for i, m := range s.Metrics {
		errs = append(errs, metric(m, at.Child("metrics").Index(i))...)
		scalable = scalable || m.Type == "Object" || m.Type == "External"
	}
	if s.MinReplicas != nil && *s.MinReplicas == 0 && !scalable {
		errs = append(errs, field.Forbidden(at.Child("metrics"), "must specify at least one Object or External metric to support scaling to zero replicas"))
	}
	if b := s.Behavior; b != nil {
		errs = append(errs, scaling(b.ScaleUp, at.Child("behavior", "scaleUp"))...)
		errs = append(errs, scaling(b.ScaleDown, at.Child("behavior", "scaleDown"))...)
	}
	return errs
}

func segment(text string, at *rule.Path) rule.ErrorList {
	if text == "" {
		return rule.ErrorList{field.Required(at, "")}
	}
	var errs rule.ErrorList
	for _, msg := range content.IsPathSegmentName(text) {
		errs = append(errs, field.Invalid(at, text, msg))
	}
	return errs
}

func reference(r *autoscalingv2.CrossVersionObjectReference, at *rule.Path) rule.ErrorList {
	errs := segment(r.GetKind(), at.Child("kind"))
	errs = append(errs, segment(r.GetName(), at.Child("name"))...)
	if v := r.GetApiVersion(); strings.Count(v, "/") > 1 {
		errs = append(errs, field.Invalid(at.Child("apiVersion"), v, "unexpected GroupVersion string: "+v))
	}
	return errs
}

func scaling(r *autoscalingv2.HPAScalingRules, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if r == nil {
		return nil
	}
	if n := r.StabilizationWindowSeconds; n != nil && *n < 0 {
		errs = append(errs, field.Invalid(at.Child("stabilizationWindowSeconds"), *n, "must be greater than or equal to zero"))
	} else if n != nil && *n > maxWindow {
		errs = append(errs, field.Invalid(at.Child("stabilizationWindowSeconds"), *n, fmt.Sprintf("must be less than or equal to %d", maxWindow)))
	}
	if p := r.SelectPolicy; p != nil && *p != "Max" && *p != "Min" && *p != "Disabled" {
		errs = append(errs, field.NotSupported(at.Child("selectPolicy"), *p, []string{"Disabled", "Max", "Min"}))
	}
	if len(r.Policies) == 0 {
		errs = append(errs, field.Required(at.Child("policies"), "must specify at least one Policy"))
	}
	for i, p := range r.Policies {
		at := at.Child("policies").Index(i)
		if p.Type != "Pods" && p.Type != "Percent" {
			errs = append(errs, field.NotSupported(at.Child("type"), p.Type, []string{"Percent", "Pods"}))
		}
		if p.Value <= 0 {
			errs = append(errs, field.Invalid(at.Child("value"), p.Value, "must be greater than zero"))
		}
		if p.PeriodSeconds <= 0 {
			errs = append(errs, field.Invalid(at.Child("periodSeconds"), p.PeriodSeconds, "must be greater than zero"))
		} else if p.PeriodSeconds > maxPeriod {
			errs = append(errs, field.Invalid(at.Child("periodSeconds"), p.PeriodSeconds, fmt.Sprintf("must be less than or equal to %d", maxPeriod)))
		}
	}
	if q, ok := rule.Quantity(r.Tolerance); r.Tolerance != nil && ok && q.Sign() < 0 {
		errs = append(errs, field.Invalid(at.Child("tolerance"), q.String(), validation.IsNegativeErrorMsg))
	}
	return errs
}

func validateStatus(a, _ *autoscalingv2.HorizontalPodAutoscaler) rule.ErrorList {
	s, at := a.GetStatus(), field.NewPath("status")
	var errs rule.ErrorList
	check := func(n int64, at *rule.Path) {
		if n < 0 {
			errs = append(errs, field.Invalid(at, n, validation.IsNegativeErrorMsg))
		}
	}
	for i, c := range s.GetConditions() {
		check(c.GetObservedGeneration(), at.Child("conditions").Index(i).Child("observedGeneration"))
	}
	check(int64(s.GetCurrentReplicas()), at.Child("currentReplicas"))
	check(int64(s.GetDesiredReplicas()), at.Child("desiredReplicas"))
	return errs
}

var metricTypes = []string{"ContainerResource", "External", "Object", "Pods", "Resource"}

func metric(m *autoscalingv2.MetricSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if m.Type == "" {
		errs = append(errs, field.Required(at.Child("type"), "must specify a metric source type"))
	}
	sources := []struct {
		kind, name string
		set        bool
		check      func(at *rule.Path) rule.ErrorList
	}{
		{"Object", "object", m.Object != nil, func(at *rule.Path) rule.ErrorList {
			errs := reference(m.Object.DescribedObject, at.Child("describedObject"))
			return append(errs, measured(m.Object.Metric, m.Object.Target, at, "must set either a target value or averageValue", false)...)
		}},
		{"External", "external", m.External != nil, func(at *rule.Path) rule.ErrorList {
			return measured(m.External.Metric, m.External.Target, at, "must set either a target value for metric or a per-pod target", true)
		}},
		{"Pods", "pods", m.Pods != nil, func(at *rule.Path) rule.ErrorList {
			errs := identifier(m.Pods.Metric, at.Child("metric"))
			errs = append(errs, target(m.Pods.Target, at.Child("target"))...)
			if m.Pods.GetTarget().GetAverageValue() == nil {
				errs = append(errs, field.Required(at.Child("target", "averageValue"), "must specify a positive target averageValue"))
			}
			return errs
		}},
		{"Resource", "resource", m.Resource != nil, func(at *rule.Path) rule.ErrorList {
			return used(m.Resource.Name, m.Resource.Target, at)
		}},
		{"ContainerResource", "containerResource", m.ContainerResource != nil, func(at *rule.Path) rule.ErrorList {
			errs := used(m.ContainerResource.Name, m.ContainerResource.Target, at)
			if name := m.ContainerResource.Name; name != "" {
				errs = append(errs, core.ContainerResourceName(name, at.Child("name"))...)
			}
			if m.ContainerResource.Container == "" {
				return append(errs, field.Required(at.Child("container"), "must specify a container"))
			}
			for _, msg := range utilvalidation.IsDNS1123Label(m.ContainerResource.Container) {
				errs = append(errs, field.Invalid(at.Child("container"), m.ContainerResource.Container, msg))
			}
			return errs
		}},
	}
	known, set := false, 0
	for _, s := range sources {
		if s.set {
			if set++; set == 1 {
				errs = append(errs, s.check(at.Child(s.name))...)
			}
		}
		if s.kind == m.Type {
			if known = true; !s.set {
				errs = append(errs, field.Required(at.Child(s.name), "must populate information for the given metric source"))
			}
		}
	}
	if !known {
		errs = append(errs, field.NotSupported(at.Child("type"), m.Type, metricTypes))
	}
	if set != 1 {
		for _, s := range sources {
			if s.set && s.kind != m.Type {
				errs = append(errs, field.Forbidden(at.Child(s.name), "must populate the given metric source only"))
			}
		}
	}
	return errs
}

// measured checks a metric that is aimed at by its value or by its average over the pods.
func measured(m *autoscalingv2.MetricIdentifier, t *autoscalingv2.MetricTarget, at *rule.Path, missing string, one bool) rule.ErrorList {
	errs := identifier(m, at.Child("metric"))
	at = at.Child("target")
	errs = append(errs, target(t, at)...)
	if t.GetValue() == nil && t.GetAverageValue() == nil {
		errs = append(errs, field.Required(at.Child("averageValue"), missing))
	}
	if one && t.GetValue() != nil && t.GetAverageValue() != nil {
		errs = append(errs, field.Forbidden(at.Child("value"), "may not set both a target value for metric and a per-pod target"))
	}
	return errs
}

// used checks a metric of a resource.
func used(name string, t *autoscalingv2.MetricTarget, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if name == "" {
		errs = append(errs, field.Required(at.Child("name"), "must specify a resource name"))
	}
	at = at.Child("target")
	errs = append(errs, target(t, at)...)
	percent := t != nil && t.AverageUtilization != nil
	if !percent && t.GetAverageValue() == nil {
		errs = append(errs, field.Required(at.Child("averageUtilization"), "must set either a target raw value or a target utilization"))
	}
	if percent && t.GetAverageValue() != nil {
		errs = append(errs, field.Forbidden(at.Child("averageValue"), "may not set both a target raw value and a target utilization"))
	}
	return errs
}

func identifier(m *autoscalingv2.MetricIdentifier, at *rule.Path) rule.ErrorList {
	if m.GetName() == "" {
		return rule.ErrorList{field.Required(at.Child("name"), "must specify a metric name")}
	}
	return segment(m.GetName(), at.Child("name"))
}

func target(t *autoscalingv2.MetricTarget, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	switch t.GetType() {
	case "Utilization", "Value", "AverageValue":
	case "":
		errs = append(errs, field.Required(at.Child("type"), "must specify a metric target type"))
		fallthrough
	default:
		errs = append(errs, field.Invalid(at.Child("type"), t.GetType(), "must be either Utilization, Value, or AverageValue"))
	}
	if q, ok := rule.Quantity(t.GetValue()); t.GetValue() != nil && ok && q.Sign() != 1 {
		errs = append(errs, field.Invalid(at.Child("value"), q.String(), "must be positive"))
	}
	if q, ok := rule.Quantity(t.GetAverageValue()); t.GetAverageValue() != nil && ok && q.Sign() != 1 {
		errs = append(errs, field.Invalid(at.Child("averageValue"), q.String(), "must be positive"))
	}
	if t != nil && t.AverageUtilization != nil && *t.AverageUtilization < 1 {
		errs = append(errs, field.Invalid(at.Child("averageUtilization"), *t.AverageUtilization, "must be greater than 0"))
	}
	return errs
}

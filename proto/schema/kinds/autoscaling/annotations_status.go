package autoscaling

import (
	"encoding/json"

	"github.com/keelson/keelson/proto/codec"
	autoscalingv2 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v2"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// oldMetricStatus is a metric as last read; one of the members is set.
type oldMetricStatus struct {
	Type              string             `json:"type"`
	Object            *oldObjectStatus   `json:"object,omitempty"`
	Pods              *oldPodsStatus     `json:"pods,omitempty"`
	Resource          *oldResourceStatus `json:"resource,omitempty"`
	ContainerResource *oldResourceStatus `json:"containerResource,omitempty"`
	External          *oldExternalStatus `json:"external,omitempty"`
}

type oldObjectStatus struct {
	Target       oldReference    `json:"target"`
	MetricName   string          `json:"metricName"`
	CurrentValue string          `json:"currentValue"`
	Selector     json.RawMessage `json:"selector,omitempty"`
	AverageValue *string         `json:"averageValue,omitempty"`
}

type oldPodsStatus struct {
	MetricName          string          `json:"metricName"`
	CurrentAverageValue string          `json:"currentAverageValue"`
	Selector            json.RawMessage `json:"selector,omitempty"`
}

type oldResourceStatus struct {
	Name                      string `json:"name"`
	CurrentAverageUtilization *int32 `json:"currentAverageUtilization,omitempty"`
	CurrentAverageValue       string `json:"currentAverageValue"`
	Container                 string `json:"container,omitempty"`
}

type oldExternalStatus struct {
	MetricName          string          `json:"metricName"`
	MetricSelector      json.RawMessage `json:"metricSelector,omitempty"`
	CurrentValue        string          `json:"currentValue"`
	CurrentAverageValue *string         `json:"currentAverageValue,omitempty"`
}

func oldMetricStatusOf(m *autoscalingv2.MetricStatus) oldMetricStatus {
	out := oldMetricStatus{Type: m.Type}
	if o := m.Object; o != nil {
		out.Object = &oldObjectStatus{referenceOf(o.DescribedObject), o.GetMetric().GetName(), rule.Canonical(o.GetCurrent().GetValue()),
			selector(o.GetMetric().GetSelector()), amount(o.GetCurrent().GetAverageValue())}
	}
	if p := m.Pods; p != nil {
		out.Pods = &oldPodsStatus{p.GetMetric().GetName(), rule.Canonical(p.GetCurrent().GetAverageValue()), selector(p.GetMetric().GetSelector())}
	}
	if r := m.Resource; r != nil {
		out.Resource = oldResourceStatusOf(r.Name, "", r.Current)
	}
	if r := m.ContainerResource; r != nil {
		out.ContainerResource = oldResourceStatusOf(r.Name, r.Container, r.Current)
	}
	if e := m.External; e != nil {
		out.External = &oldExternalStatus{e.GetMetric().GetName(), selector(e.GetMetric().GetSelector()),
			rule.Canonical(e.GetCurrent().GetValue()), amount(e.GetCurrent().GetAverageValue())}
	}
	return out
}

func oldResourceStatusOf(name, container string, v *autoscalingv2.MetricValueStatus) *oldResourceStatus {
	out := &oldResourceStatus{Name: name, Container: container, CurrentAverageValue: rule.Canonical(v.GetAverageValue())}
	if v != nil {
		out.CurrentAverageUtilization = v.AverageUtilization
	}
	return out
}

func (r *oldResourceStatus) current() *autoscalingv2.MetricValueStatus {
	return &autoscalingv2.MetricValueStatus{AverageValue: quantity(&r.CurrentAverageValue), AverageUtilization: r.CurrentAverageUtilization}
}

func (m oldMetricStatus) status() *autoscalingv2.MetricStatus {
	out := &autoscalingv2.MetricStatus{Type: m.Type}
	if o := m.Object; o != nil {
		out.Object = &autoscalingv2.ObjectMetricStatus{DescribedObject: o.Target.reference(),
			Metric:  &autoscalingv2.MetricIdentifier{Name: o.MetricName, Selector: selectorOf(o.Selector)},
			Current: &autoscalingv2.MetricValueStatus{Value: quantity(&o.CurrentValue), AverageValue: quantity(o.AverageValue)}}
	}
	if p := m.Pods; p != nil {
		out.Pods = &autoscalingv2.PodsMetricStatus{Metric: &autoscalingv2.MetricIdentifier{Name: p.MetricName, Selector: selectorOf(p.Selector)},
			Current: &autoscalingv2.MetricValueStatus{AverageValue: quantity(&p.CurrentAverageValue)}}
	}
	if r := m.Resource; r != nil {
		out.Resource = &autoscalingv2.ResourceMetricStatus{Name: r.Name, Current: r.current()}
	}
	if r := m.ContainerResource; r != nil {
		out.ContainerResource = &autoscalingv2.ContainerResourceMetricStatus{Name: r.Name, Container: r.Container, Current: r.current()}
	}
	if e := m.External; e != nil {
		out.External = &autoscalingv2.ExternalMetricStatus{
			Metric:  &autoscalingv2.MetricIdentifier{Name: e.MetricName, Selector: selectorOf(e.MetricSelector)},
			Current: &autoscalingv2.MetricValueStatus{Value: quantity(&e.CurrentValue), AverageValue: quantity(e.CurrentAverageValue)}}
	}
	return out
}

func encodeConditions(list []*autoscalingv2.HorizontalPodAutoscalerCondition) []byte {
	out := []byte{'['}
	for i, c := range list {
		if i > 0 {
			out = append(out, ',')
		}
		b, err := codec.AppendMessage(nil, c, codec.EncodeOptions{})
		if err != nil {
			b = []byte("{}") // a condition that is not UTF-8
		}
		out = append(out, b...)
	}
	return append(out, ']')
}

func decodeConditions(text string) []*autoscalingv2.HorizontalPodAutoscalerCondition {
	var out []*autoscalingv2.HorizontalPodAutoscalerCondition
	for _, raw := range decode[json.RawMessage](text) {
		c := &autoscalingv2.HorizontalPodAutoscalerCondition{}
		if _, err := codec.Unmarshal(raw, c, codec.DecodeOptions{}); err != nil {
			return nil
		}
		out = append(out, c)
	}
	return out
}

// oldBehavior is behavior as Kubernetes writes it to the annotation: under the names of its Go fields.
type oldBehavior struct{ ScaleUp, ScaleDown *oldRules }

type oldRules struct {
	StabilizationWindowSeconds *int32
	SelectPolicy               *string
	Policies                   []oldPolicy
	Tolerance                  *string
}

type oldPolicy struct {
	Type                 string
	Value, PeriodSeconds int32
}

func oldBehaviorOf(b *autoscalingv2.HorizontalPodAutoscalerBehavior) oldBehavior {
	rules := func(r *autoscalingv2.HPAScalingRules) *oldRules {
		if r == nil {
			return nil
		}
		out := &oldRules{StabilizationWindowSeconds: r.StabilizationWindowSeconds, SelectPolicy: r.SelectPolicy, Tolerance: amount(r.Tolerance)}
		for _, p := range r.Policies {
			out.Policies = append(out.Policies, oldPolicy{p.Type, p.Value, p.PeriodSeconds})
		}
		return out
	}
	return oldBehavior{rules(b.ScaleUp), rules(b.ScaleDown)}
}

func decodeBehavior(text string) *autoscalingv2.HorizontalPodAutoscalerBehavior {
	var b oldBehavior
	if text == "" || json.Unmarshal([]byte(text), &b) != nil || b == (oldBehavior{}) {
		return nil
	}
	rules := func(r *oldRules) *autoscalingv2.HPAScalingRules {
		if r == nil {
			return nil
		}
		out := &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: r.StabilizationWindowSeconds, SelectPolicy: r.SelectPolicy}
		if r.Tolerance != nil {
			out.Tolerance = &metav1.Quantity{String_: *r.Tolerance}
		}
		for _, p := range r.Policies {
			out.Policies = append(out.Policies, &autoscalingv2.HPAScalingPolicy{Type: p.Type, Value: p.Value, PeriodSeconds: p.PeriodSeconds})
		}
		return out
	}
	return &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: rules(b.ScaleUp), ScaleDown: rules(b.ScaleDown)}
}

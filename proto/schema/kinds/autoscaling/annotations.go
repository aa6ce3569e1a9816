package autoscaling

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	autoscalingv2 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v2"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// The values of the annotations are lists of what version 1's types for metrics once were, as JSON.

// oldMetric is a metric and what it should be; one of the members is set.
type oldMetric struct {
	Type              string       `json:"type"`
	Object            *oldObject   `json:"object,omitempty"`
	Pods              *oldPods     `json:"pods,omitempty"`
	Resource          *oldResource `json:"resource,omitempty"`
	ContainerResource *oldResource `json:"containerResource,omitempty"`
	External          *oldExternal `json:"external,omitempty"`
}

type oldReference struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	APIVersion string `json:"apiVersion,omitempty"`
}

type oldObject struct {
	Target       oldReference    `json:"target"`
	MetricName   string          `json:"metricName"`
	TargetValue  string          `json:"targetValue"`
	Selector     json.RawMessage `json:"selector,omitempty"`
	AverageValue *string         `json:"averageValue,omitempty"`
}

type oldPods struct {
	MetricName         string          `json:"metricName"`
	TargetAverageValue string          `json:"targetAverageValue"`
	Selector           json.RawMessage `json:"selector,omitempty"`
}

type oldResource struct {
	Name                     string  `json:"name"`
	TargetAverageUtilization *int32  `json:"targetAverageUtilization,omitempty"`
	TargetAverageValue       *string `json:"targetAverageValue,omitempty"`
	Container                string  `json:"container,omitempty"`
}

type oldExternal struct {
	MetricName         string          `json:"metricName"`
	MetricSelector     json.RawMessage `json:"metricSelector,omitempty"`
	TargetValue        *string         `json:"targetValue,omitempty"`
	TargetAverageValue *string         `json:"targetAverageValue,omitempty"`
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return nil // the types above have nothing that cannot be encoded
	}
	return b
}

func decode[T any](text string) []T {
	var out []T
	if text == "" || json.Unmarshal([]byte(text), &out) != nil {
		return nil
	}
	return out
}

// amount is a quantity that may be missing, maybe one that may not.
func amount(q *metav1.Quantity) *string {
	if q == nil {
		return nil
	}
	return proto.String(rule.Canonical(q))
}

func quantity(s *string) *metav1.Quantity {
	if s == nil {
		return nil
	}
	return &metav1.Quantity{String_: *s}
}

// zero tells whether an amount that cannot be left out stands for none.
func zero(s string) bool { return s == "" || s == "0" }

func selector(s *metav1.LabelSelector) json.RawMessage {
	if s == nil {
		return nil
	}
	b, err := codec.AppendMessage(nil, s, codec.EncodeOptions{})
	if err != nil {
		return nil
	}
	return b
}

func selectorOf(raw json.RawMessage) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if _, err := codec.Unmarshal(raw, s, codec.DecodeOptions{}); err != nil {
		return nil
	}
	return s
}

func referenceOf(r *autoscalingv2.CrossVersionObjectReference) oldReference {
	return oldReference{r.GetKind(), r.GetName(), r.GetApiVersion()}
}

func (r oldReference) reference() *autoscalingv2.CrossVersionObjectReference {
	return &autoscalingv2.CrossVersionObjectReference{Kind: r.Kind, Name: r.Name, ApiVersion: r.APIVersion}
}

func oldMetricOf(m *autoscalingv2.MetricSpec) oldMetric {
	out := oldMetric{Type: m.Type}
	if o := m.Object; o != nil {
		out.Object = &oldObject{Target: referenceOf(o.DescribedObject), MetricName: o.GetMetric().GetName(),
			TargetValue: rule.Canonical(o.GetTarget().GetValue()), Selector: selector(o.GetMetric().GetSelector()),
			AverageValue: amount(o.GetTarget().GetAverageValue())}
	}
	if p := m.Pods; p != nil {
		out.Pods = &oldPods{p.GetMetric().GetName(), rule.Canonical(p.GetTarget().GetAverageValue()), selector(p.GetMetric().GetSelector())}
	}
	if r := m.Resource; r != nil {
		out.Resource = oldResourceOf(r.Name, "", r.Target)
	}
	if r := m.ContainerResource; r != nil {
		out.ContainerResource = oldResourceOf(r.Name, r.Container, r.Target)
	}
	if e := m.External; e != nil {
		out.External = &oldExternal{e.GetMetric().GetName(), selector(e.GetMetric().GetSelector()),
			amount(e.GetTarget().GetValue()), amount(e.GetTarget().GetAverageValue())}
	}
	return out
}

func oldResourceOf(name, container string, t *autoscalingv2.MetricTarget) *oldResource {
	out := &oldResource{Name: name, Container: container, TargetAverageValue: amount(t.GetAverageValue())}
	if t != nil {
		out.TargetAverageUtilization = t.AverageUtilization
	}
	return out
}

func (r *oldResource) target() *autoscalingv2.MetricTarget {
	t := &autoscalingv2.MetricTarget{Type: "AverageValue", AverageValue: quantity(r.TargetAverageValue), AverageUtilization: r.TargetAverageUtilization}
	if r.TargetAverageUtilization != nil {
		t.Type = "Utilization"
	}
	return t
}

func (m oldMetric) spec() *autoscalingv2.MetricSpec {
	out := &autoscalingv2.MetricSpec{Type: m.Type}
	if o := m.Object; o != nil {
		t := &autoscalingv2.MetricTarget{Type: "Value", Value: quantity(&o.TargetValue)}
		if o.AverageValue != nil {
			t.Type, t.AverageValue = "AverageValue", quantity(o.AverageValue)
			if zero(o.TargetValue) {
				t.Value = nil
			}
		}
		out.Object = &autoscalingv2.ObjectMetricSource{DescribedObject: o.Target.reference(), Target: t,
			Metric: &autoscalingv2.MetricIdentifier{Name: o.MetricName, Selector: selectorOf(o.Selector)}}
	}
	if p := m.Pods; p != nil {
		out.Pods = &autoscalingv2.PodsMetricSource{Metric: &autoscalingv2.MetricIdentifier{Name: p.MetricName, Selector: selectorOf(p.Selector)},
			Target: &autoscalingv2.MetricTarget{Type: "AverageValue", AverageValue: quantity(&p.TargetAverageValue)}}
	}
	if r := m.Resource; r != nil {
		out.Resource = &autoscalingv2.ResourceMetricSource{Name: r.Name, Target: r.target()}
	}
	if r := m.ContainerResource; r != nil {
		out.ContainerResource = &autoscalingv2.ContainerResourceMetricSource{Name: r.Name, Container: r.Container, Target: r.target()}
	}
	if e := m.External; e != nil {
		t := &autoscalingv2.MetricTarget{Type: "AverageValue", Value: quantity(e.TargetValue), AverageValue: quantity(e.TargetAverageValue)}
		if e.TargetValue != nil {
			t.Type = "Value"
		}
		out.External = &autoscalingv2.ExternalMetricSource{Target: t,
			Metric: &autoscalingv2.MetricIdentifier{Name: e.MetricName, Selector: selectorOf(e.MetricSelector)}}
	}
	return out
}

// Package autoscaling holds the logic of the autoscaling group: version 2 of its only kind is stored, version 1 is a view of
// it that keeps in annotations what it has no fields for.
package autoscaling

import (
	"google.golang.org/protobuf/proto"

	autoscalingv1 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	autoscalingv2 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v2"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*autoscalingv2.HorizontalPodAutoscaler]{
		Finish: defaults, Validate: validate, ValidateStatus: validateStatus,
	})
	rule.AddKind(s, rule.TypedKind[*autoscalingv1.HorizontalPodAutoscaler]{
		Validate: func(a, _ *autoscalingv1.HorizontalPodAutoscaler) rule.ErrorList {
			v2 := ToV2(a)
			defaults(v2)
			return validate(v2, nil)
		},
		ValidateStatus: func(a, _ *autoscalingv1.HorizontalPodAutoscaler) rule.ErrorList { return validateStatus(ToV2(a), nil) },
		ToStorage: func(a *autoscalingv1.HorizontalPodAutoscaler) proto.Message {
			v2 := ToV2(a)
			defaults(v2)
			return v2
		},
		FromStorage: func(m proto.Message) *autoscalingv1.HorizontalPodAutoscaler {
			return FromV2(m.(*autoscalingv2.HorizontalPodAutoscaler))
		},
	})
}

// defaultUtilization is the use of processor time, in percent of the request, that is aimed at where no metric is named.
const defaultUtilization = 80

func defaults(a *autoscalingv2.HorizontalPodAutoscaler) {
	if a.Spec == nil {
		a.Spec = &autoscalingv2.HorizontalPodAutoscalerSpec{}
	}
	if len(a.Spec.Metrics) == 0 {
		a.Spec.Metrics = []*autoscalingv2.MetricSpec{processorMetric(defaultUtilization)}
	}
	if b := a.Spec.Behavior; b != nil {
		b.ScaleUp = complete(b.ScaleUp, proto.Int32(0), []*autoscalingv2.HPAScalingPolicy{
			{Type: "Pods", Value: 4, PeriodSeconds: 15}, {Type: "Percent", Value: 100, PeriodSeconds: 15},
		})
		b.ScaleDown = complete(b.ScaleDown, nil, []*autoscalingv2.HPAScalingPolicy{{Type: "Percent", Value: 100, PeriodSeconds: 15}})
	}
}

// complete sets what the rules of one direction leave open.
func complete(r *autoscalingv2.HPAScalingRules, window *int32, policies []*autoscalingv2.HPAScalingPolicy) *autoscalingv2.HPAScalingRules {
	if r == nil {
		r = &autoscalingv2.HPAScalingRules{}
	}
	if r.SelectPolicy == nil {
		r.SelectPolicy = proto.String("Max")
	}
	if r.StabilizationWindowSeconds == nil {
		r.StabilizationWindowSeconds = window
	}
	if len(r.Policies) == 0 {
		r.Policies = policies
	}
	return r
}

func processorMetric(utilization int32) *autoscalingv2.MetricSpec {
	return &autoscalingv2.MetricSpec{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{
		Name: "cpu", Target: &autoscalingv2.MetricTarget{Type: "Utilization", AverageUtilization: &utilization},
	}}
}

package autoscaling

import (
	"maps"

	"google.golang.org/protobuf/proto"

	autoscalingv1 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	autoscalingv2 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v2"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Annotations that hold, in version 1, what only version 2 has fields for.
const (
	metricsAnnotation    = "autoscaling.alpha.kubernetes.io/metrics"
	currentAnnotation    = "autoscaling.alpha.kubernetes.io/current-metrics"
	conditionsAnnotation = "autoscaling.alpha.kubernetes.io/conditions"
	behaviorAnnotation   = "autoscaling.alpha.kubernetes.io/behavior"
	downAnnotation       = "autoscaling.alpha.kubernetes.io/scale-down-tolerance"
	upAnnotation         = "autoscaling.alpha.kubernetes.io/scale-up-tolerance"
)

// without returns metadata without the annotations of the conversion; the metadata itself where it has none.
func without(m *metav1.ObjectMeta) *metav1.ObjectMeta {
	var clean map[string]string
	for _, key := range []string{metricsAnnotation, currentAnnotation, conditionsAnnotation, behaviorAnnotation, downAnnotation, upAnnotation} {
		if _, ok := m.GetAnnotations()[key]; !ok {
			continue
		}
		if clean == nil {
			clean = maps.Clone(m.Annotations)
		}
		delete(clean, key)
	}
	if clean == nil {
		return m
	}
	m = proto.CloneOf(m)
	if m.Annotations = clean; len(clean) == 0 {
		m.Annotations = nil
	}
	return m
}

// annotate sets an annotation of metadata that belongs to the caller.
func annotate(m *metav1.ObjectMeta, key string, value []byte) {
	if m.Annotations == nil {
		m.Annotations = map[string]string{}
	}
	m.Annotations[key] = string(value)
}

// byProcessor tells whether version 1 has a field for a metric.
func byProcessor(m *autoscalingv2.MetricSpec) bool {
	return m.Type == "Resource" && m.GetResource().GetName() == "cpu" && m.Resource.GetTarget().GetAverageUtilization() != 0
}

// FromV2 shows an autoscaler in version 1.
func FromV2(in *autoscalingv2.HorizontalPodAutoscaler) *autoscalingv1.HorizontalPodAutoscaler {
	out := &autoscalingv1.HorizontalPodAutoscaler{Metadata: proto.CloneOf(without(in.Metadata))}
	if out.Metadata == nil {
		out.Metadata = &metav1.ObjectMeta{}
	}
	if s := in.Spec; s != nil {
		ref := s.GetScaleTargetRef()
		out.Spec = &autoscalingv1.HorizontalPodAutoscalerSpec{MinReplicas: s.MinReplicas, MaxReplicas: s.MaxReplicas}
		if ref != nil {
			out.Spec.ScaleTargetRef = &autoscalingv1.CrossVersionObjectReference{Kind: ref.Kind, Name: ref.Name, ApiVersion: ref.ApiVersion}
		}
		var others []oldMetric
		for _, m := range s.Metrics {
			switch {
			case !byProcessor(m):
				others = append(others, oldMetricOf(m))
			case out.Spec.TargetCPUUtilizationPercentage == nil:
				out.Spec.TargetCPUUtilizationPercentage = proto.Int32(m.Resource.Target.GetAverageUtilization())
			}
		}
		if len(others) > 0 {
			annotate(out.Metadata, metricsAnnotation, encode(others))
		}
		if s.Behavior != nil {
			annotate(out.Metadata, behaviorAnnotation, encode(oldBehaviorOf(s.Behavior)))
		}
	}
	if s := in.Status; s != nil {
		out.Status = &autoscalingv1.HorizontalPodAutoscalerStatus{ObservedGeneration: s.ObservedGeneration, LastScaleTime: s.LastScaleTime,
			CurrentReplicas: s.CurrentReplicas, DesiredReplicas: s.DesiredReplicas}
		var current []oldMetricStatus
		for _, m := range s.CurrentMetrics {
			if u := m.GetResource().GetCurrent(); m.Type == "Resource" && m.GetResource().GetName() == "cpu" && u != nil && u.AverageUtilization != nil {
				out.Status.CurrentCPUUtilizationPercentage = proto.Int32(*u.AverageUtilization)
			}
			current = append(current, oldMetricStatusOf(m))
		}
		if len(current) > 0 {
			annotate(out.Metadata, currentAnnotation, encode(current))
		}
		if len(s.Conditions) > 0 {
			annotate(out.Metadata, conditionsAnnotation, encodeConditions(s.Conditions))
		}
	}
	return out
}

// ToV2 is the inverse of FromV2. Annotations that cannot be read are dropped, as Kubernetes does.
func ToV2(in *autoscalingv1.HorizontalPodAutoscaler) *autoscalingv2.HorizontalPodAutoscaler {
	out := &autoscalingv2.HorizontalPodAutoscaler{Metadata: without(in.Metadata)}
	annotations := in.GetMetadata().GetAnnotations()
	if s := in.Spec; s != nil {
		out.Spec = &autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: s.MinReplicas, MaxReplicas: s.MaxReplicas}
		if ref := s.ScaleTargetRef; ref != nil {
			out.Spec.ScaleTargetRef = &autoscalingv2.CrossVersionObjectReference{Kind: ref.Kind, Name: ref.Name, ApiVersion: ref.ApiVersion}
		}
		for _, m := range decode[oldMetric](annotations[metricsAnnotation]) {
			out.Spec.Metrics = append(out.Spec.Metrics, m.spec())
		}
		if n := s.TargetCPUUtilizationPercentage; n != nil {
			out.Spec.Metrics = append(out.Spec.Metrics, processorMetric(*n))
		}
		out.Spec.Behavior = decodeBehavior(annotations[behaviorAnnotation])
	}
	if s := in.Status; s != nil {
		out.Status = &autoscalingv2.HorizontalPodAutoscalerStatus{ObservedGeneration: s.ObservedGeneration, LastScaleTime: s.LastScaleTime,
			CurrentReplicas: s.CurrentReplicas, DesiredReplicas: s.DesiredReplicas}
		if n := s.CurrentCPUUtilizationPercentage; n != nil {
			out.Status.CurrentMetrics = []*autoscalingv2.MetricStatus{{Type: "Resource", Resource: &autoscalingv2.ResourceMetricStatus{
				Name: "cpu", Current: &autoscalingv2.MetricValueStatus{AverageUtilization: proto.Int32(*n)},
			}}}
		}
	}
	if current := decode[oldMetricStatus](annotations[currentAnnotation]); len(current) > 0 {
		status(out).CurrentMetrics = nil
		for _, m := range current {
			out.Status.CurrentMetrics = append(out.Status.CurrentMetrics, m.status())
		}
	}
	if conditions := decodeConditions(annotations[conditionsAnnotation]); len(conditions) > 0 {
		status(out).Conditions = conditions
	}
	return out
}

func status(a *autoscalingv2.HorizontalPodAutoscaler) *autoscalingv2.HorizontalPodAutoscalerStatus {
	if a.Status == nil {
		a.Status = &autoscalingv2.HorizontalPodAutoscalerStatus{}
	}
	return a.Status
}

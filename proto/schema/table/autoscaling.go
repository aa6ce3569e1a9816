package table

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	autoscalingv1 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	autoscalingv2 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v2"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/kinds/autoscaling"
	"github.com/keelson/keelson/proto/schema/rule"
)

var (
	_ = register(autoscalerCells)
	_ = register(oldAutoscalerCells)
)

// Scale has no option for columns: it has no place of its own among the resources.
var (
	scaleName    = (*autoscalingv1.Scale)(nil).ProtoReflect().Descriptor().FullName()
	scaleColumns = []schema.Column{
		{Name: "Desired", Type: "integer", Path: ".spec.replicas"},
		{Name: "Available", Type: "integer", Path: ".status.replicas"},
		{Name: "Age", Type: "string", Path: ".metadata.creationTimestamp"},
	}
)

// shownMetrics is how many metrics of an autoscaler a line names.
const shownMetrics = 2

func autoscalerCells(a *autoscalingv2.HorizontalPodAutoscaler, now time.Time) []any {
	s := a.GetSpec()
	if s == nil {
		s = &autoscalingv2.HorizontalPodAutoscalerSpec{}
	}
	least := unset
	if s.MinReplicas != nil {
		least = strconv.Itoa(int(*s.MinReplicas))
	}
	return []any{s.GetScaleTargetRef().GetKind() + "/" + s.GetScaleTargetRef().GetName(), metrics(s.Metrics, a.GetStatus().GetCurrentMetrics()),
		least, int64(s.MaxReplicas), int64(a.GetStatus().GetCurrentReplicas()), created(a.Metadata, now)}
}

func oldAutoscalerCells(a *autoscalingv1.HorizontalPodAutoscaler, now time.Time) []any {
	return autoscalerCells(autoscaling.ToV2(a), now)
}

func metrics(specs []*autoscalingv2.MetricSpec, statuses []*autoscalingv2.MetricStatus) string {
	var list []string
	for i, m := range specs {
		var now *autoscalingv2.MetricStatus
		if i < len(statuses) {
			now = statuses[i]
		}
		list = append(list, metric(m, now))
	}
	if n := len(list) - shownMetrics; n > 0 {
		return fmt.Sprintf("%s + %d more...", strings.Join(list[:shownMetrics], ", "), n)
	}
	return or(strings.Join(list, ", "), none)
}

// metric prints what a metric is and should be: "cpu: 12%/80%".
func metric(m *autoscalingv2.MetricSpec, now *autoscalingv2.MetricStatus) string {
	switch m.Type {
	case "External":
		return averaged(m.External.GetTarget(), now.GetExternal().GetCurrent(), now.GetExternal() != nil)
	case "Object":
		return averaged(m.Object.GetTarget(), now.GetObject().GetCurrent(), now.GetObject() != nil)
	case "Pods":
		current := unknown
		if now.GetPods() != nil {
			current = quantity(now.Pods.GetCurrent().GetAverageValue())
		}
		return current + "/" + quantity(m.Pods.GetTarget().GetAverageValue())
	case "Resource":
		return m.Resource.GetName() + ": " + used(m.Resource.GetTarget(), now.GetResource().GetCurrent(), now.GetResource() != nil)
	case "ContainerResource":
		return m.ContainerResource.GetName() + ": " + used(m.ContainerResource.GetTarget(), now.GetContainerResource().GetCurrent(), now.GetContainerResource() != nil)
	}
	return "<unknown type>"
}

// averaged prints a metric that is one value, or one divided by the number of pods.
func averaged(target *autoscalingv2.MetricTarget, now *autoscalingv2.MetricValueStatus, known bool) string {
	current := unknown
	if target.GetAverageValue() != nil {
		if now.GetAverageValue() != nil {
			current = quantity(now.AverageValue)
		}
		return current + "/" + quantity(target.AverageValue) + " (avg)"
	}
	if known {
		current = quantity(now.GetValue())
	}
	return current + "/" + quantity(target.GetValue())
}

// used prints the use of a resource, as an amount or in percent.
func used(target *autoscalingv2.MetricTarget, now *autoscalingv2.MetricValueStatus, known bool) string {
	current := unknown
	if target.GetAverageValue() != nil {
		if known {
			current = quantity(now.GetAverageValue())
		}
		return current + "/" + quantity(target.AverageValue)
	}
	if now != nil && now.AverageUtilization != nil {
		current = percent(*now.AverageUtilization)
	}
	goal := "<auto>"
	if target != nil && target.AverageUtilization != nil {
		goal = percent(*target.AverageUtilization)
	}
	return current + "/" + goal
}

func percent(n int32) string { return strconv.Itoa(int(n)) + "%" }

// quantity prints a quantity in its canonical form; a missing one is 0.
func quantity(q *metav1.Quantity) string { return rule.Canonical(q) }

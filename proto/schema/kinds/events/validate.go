package events

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	eventsv1 "github.com/keelson/keelson/proto/gen/keelson/events/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/kinds/core"
	"github.com/keelson/keelson/proto/schema/rule"
)

// validate is stricter than the core group's: this group never knew events without the time at which they happened.
// The paths are those of the core group's form, as in Kubernetes.
func validate(obj, was *eventsv1.Event) rule.ErrorList {
	e := toCore(obj)
	errs := core.Event(e, "reportingController")
	if was != nil {
		return append(errs, update(e, toCore(was))...)
	}
	errs = append(errs, series(e.Series)...)
	if !core.HasEventTime(e.EventTime) {
		errs = append(errs, field.Required(field.NewPath("eventTime"), ""))
	}
	if e.Type != "Normal" && e.Type != "Warning" {
		errs = append(errs, field.Invalid(field.NewPath("type"), "", fmt.Sprintf("has invalid value: %v", e.Type)))
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"firstTimestamp", isSet(e.FirstTimestamp)}, {"lastTimestamp", isSet(e.LastTimestamp)}, {"count", e.Count != 0},
		{"source", e.Source.GetComponent() != "" || e.Source.GetHost() != ""},
	} {
		if f.set {
			errs = append(errs, field.Invalid(field.NewPath(f.name), "", "needs to be unset"))
		}
	}
	return errs
}

func isSet(t *metav1.Time) bool { return t.GetSeconds() != 0 || t.GetNanos() != 0 }

func series(s *corev1.EventSeries) rule.ErrorList {
	var errs rule.ErrorList
	if s == nil {
		return nil
	}
	if s.Count < 2 {
		errs = append(errs, field.Invalid(field.NewPath("series.count"), "", "should be at least 2"))
	}
	if !core.HasEventTime(s.LastObservedTime) {
		errs = append(errs, field.Required(field.NewPath("series.lastObservedTime"), ""))
	}
	return errs
}

// update allows what may change of an event: its series and metadata.
func update(e, was *corev1.Event) rule.ErrorList {
	var errs rule.ErrorList
	if !proto.Equal(e.Series, was.Series) {
		errs = append(errs, series(e.Series)...)
	}
	message := func(name string, now, was proto.Message) {
		if !same(now, was) {
			errs = append(errs, field.Invalid(field.NewPath(name), rule.Value(now), validation.FieldImmutableErrorMsg))
		}
	}
	text := func(name, now, was string) {
		if now != was {
			errs = append(errs, field.Invalid(field.NewPath(name), now, validation.FieldImmutableErrorMsg))
		}
	}
	message("involvedObject", e.InvolvedObject, was.InvolvedObject)
	text("reason", e.Reason, was.Reason)
	text("message", e.Message, was.Message)
	message("source", e.Source, was.Source)
	message("firstTimestamp", e.FirstTimestamp, was.FirstTimestamp)
	message("lastTimestamp", e.LastTimestamp, was.LastTimestamp)
	if e.Count != was.Count {
		errs = append(errs, field.Invalid(field.NewPath("count"), e.Count, validation.FieldImmutableErrorMsg))
	}
	text("type", e.Type, was.Type)
	if e.EventTime.GetSeconds() != was.EventTime.GetSeconds() || e.EventTime.GetNanos()/1000 != was.EventTime.GetNanos()/1000 {
		message("eventTime", e.EventTime, was.EventTime)
	}
	text("action", e.Action, was.Action)
	message("related", e.Related, was.Related)
	text("reportingController", e.ReportingComponent, was.ReportingComponent)
	text("reportingInstance", e.ReportingInstance, was.ReportingInstance)
	return errs
}

// same takes a message that is not there for an empty one.
func same(a, b proto.Message) bool {
	if !a.ProtoReflect().IsValid() || !b.ProtoReflect().IsValid() {
		return proto.Size(a) == 0 && proto.Size(b) == 0
	}
	return proto.Equal(a, b)
}

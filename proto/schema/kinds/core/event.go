package core

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Longest texts of events that say when they happened.
const (
	maxEventText = 128
	maxEventNote = 1024
)

func event(e, _ *corev1.Event) rule.ErrorList { return Event(e, "reportingComponent") }

// HasEventTime tells whether an event is of the new form, which says when it happened.
func HasEventTime(t *metav1.MicroTime) bool { return t.GetSeconds() != 0 || t.GetNanos() != 0 }

// Event checks what holds for events of both groups. reporter is what the group calls the component that reports.
func Event(e *corev1.Event, reporter string) rule.ErrorList {
	var errs rule.ErrorList
	ns, about := e.GetMetadata().GetNamespace(), e.GetInvolvedObject().GetNamespace()
	modern := HasEventTime(e.EventTime)
	if about == "" && ns != "default" && !(modern && ns == "kube-system") || !modern && about != "" && about != ns {
		errs = append(errs, field.Invalid(field.NewPath("involvedObject", "namespace"), about, "does not match event.namespace"))
	}
	if !modern {
		return errs
	}
	if e.ReportingComponent == "" {
		errs = append(errs, field.Required(field.NewPath(reporter), ""))
	}
	for _, msg := range format.QualifiedName(e.ReportingComponent) {
		errs = append(errs, field.Invalid(field.NewPath(reporter), e.ReportingComponent, msg))
	}
	for _, f := range []struct{ name, value string }{{"reportingInstance", e.ReportingInstance}, {"action", e.Action}, {"reason", e.Reason}} {
		if f.value == "" {
			errs = append(errs, field.Required(field.NewPath(f.name), ""))
		}
		if len(f.value) > maxEventText {
			errs = append(errs, field.Invalid(field.NewPath(f.name), "", fmt.Sprintf("can have at most %d characters", maxEventText)))
		}
	}
	if len(e.Message) > maxEventNote {
		errs = append(errs, field.Invalid(field.NewPath("message"), "", fmt.Sprintf("can have at most %d characters", maxEventNote)))
	}
	return errs
}

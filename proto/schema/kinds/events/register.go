// Package events holds the logic of the events.k8s.io group: its events are stored as those of the core group, of which
// they are another view.
package events

import (
	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	eventsv1 "github.com/keelson/keelson/proto/gen/keelson/events/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*eventsv1.Event]{
		Validate:    validate,
		ToStorage:   func(e *eventsv1.Event) proto.Message { return toCore(e) },
		FromStorage: func(m proto.Message) *eventsv1.Event { return fromCore(m.(*corev1.Event)) },
	})
}

func toCore(e *eventsv1.Event) *corev1.Event {
	out := &corev1.Event{
		Metadata: e.Metadata, InvolvedObject: e.Regarding, Related: e.Related, Reason: e.Reason, Message: e.Note, Type: e.Type,
		Source: e.DeprecatedSource, FirstTimestamp: e.DeprecatedFirstTimestamp, LastTimestamp: e.DeprecatedLastTimestamp,
		Count: e.DeprecatedCount, EventTime: e.EventTime, Action: e.Action, ReportingComponent: e.ReportingController,
		ReportingInstance: e.ReportingInstance,
	}
	if s := e.Series; s != nil {
		out.Series = &corev1.EventSeries{Count: s.Count, LastObservedTime: s.LastObservedTime}
	}
	return out
}

func fromCore(e *corev1.Event) *eventsv1.Event {
	out := &eventsv1.Event{
		Metadata: e.Metadata, Regarding: e.InvolvedObject, Related: e.Related, Reason: e.Reason, Note: e.Message, Type: e.Type,
		DeprecatedSource: e.Source, DeprecatedFirstTimestamp: e.FirstTimestamp, DeprecatedLastTimestamp: e.LastTimestamp,
		DeprecatedCount: e.Count, EventTime: e.EventTime, Action: e.Action, ReportingController: e.ReportingComponent,
		ReportingInstance: e.ReportingInstance,
	}
	if s := e.Series; s != nil {
		out.Series = &eventsv1.EventSeries{Count: s.Count, LastObservedTime: s.LastObservedTime}
	}
	return out
}

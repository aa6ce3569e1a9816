package respond

import (
	"github.com/keelson/keelson/apiserver/internal/rest/media"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

// Sink takes pieces of the answer that are to be sent together, without waiting for the client.
type Sink interface {
	// Add takes all pieces of an event or none.
	Add(pieces [][]byte) bool
	// Full tells that the next event is to come in another turn.
	Full() bool
}

// Direct tells whether Offer is of use: cells of tables are not worth it.
func (e *Events) Direct() bool { return e.w.Accept.View != media.Table && !e.Each }

// Offer is Write for a sink: it adds events until one is not taken, and returns how many were; more tells whether the sink
// was only full. An event that cannot be encoded is left to Write, which says why.
func (e *Events) Offer(events []pipeline.Event, to Sink) (n int, more bool) {
	for i := range events {
		if to.Full() {
			return i, true
		}
		if !e.offer(&events[i], to) {
			return i, false
		}
	}
	return len(events), true
}

// offer adds an event. What all watchers of an object are sent is not copied into a buffer of each of them.
func (e *Events) offer(ev *pipeline.Event, to Sink) bool {
	e.borrow()
	defer e.give()
	pieces := e.pieces[:0]
	defer func() { clear(pieces) }()
	switch whole := e.w.Accept.View == media.Object; {
	case ev.Type == resourcev1.EventType_EVENT_TYPE_BOOKMARK:
		if e.bookmark(ev) != nil {
			return false
		}
		pieces = append(pieces, e.buf)
	case whole && e.w.Accept.Format == media.Protobuf:
		object := ev.Item.Wire()
		e.frameHead(typeName(ev.Type), ev.Item.Kind.APIVersion(), ev.Item.Kind.Kind, len(object))
		pieces = append(pieces, e.buf, object)
	case whole:
		object, err := ev.Item.JSON()
		if err != nil {
			return false
		}
		e.open(typeName(ev.Type))
		pieces = append(pieces, e.buf, object, eventEnd)
	default:
		if e.object(typeName(ev.Type), ev.Item) != nil {
			return false
		}
		pieces = append(pieces, e.buf)
	}
	if !to.Add(pieces) {
		return false
	}
	for _, p := range pieces {
		e.Offered += int64(len(p))
	}
	return true
}

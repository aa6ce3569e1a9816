package client

import (
	"context"
	"io"
	"sync"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// EventType says what happened to an object.
type EventType = resourcev1.EventType

// The types of watch events.
const (
	Added    = resourcev1.EventType_EVENT_TYPE_ADDED
	Modified = resourcev1.EventType_EVENT_TYPE_MODIFIED
	Deleted  = resourcev1.EventType_EVENT_TYPE_DELETED
	Bookmark = resourcev1.EventType_EVENT_TYPE_BOOKMARK
)

// WatchOptions select what is watched, and from where.
type WatchOptions struct {
	Namespace, LabelSelector, FieldSelector string
	// ResourceVersion to start after. Empty: the present state first, as Added events.
	ResourceVersion string
	// SendInitialEvents sends the present state and then a bookmark with InitialEventsEnd.
	SendInitialEvents bool
	// AllowBookmarks lets the server send its revision when nothing happens.
	AllowBookmarks bool
	// Acknowledger names the client in acknowledgements; empty where it sends none.
	Acknowledger string
}

// WatchEvent is a change of an object, or a bookmark.
type WatchEvent[T Object] struct {
	Type EventType
	// Object after the change; of Deleted, as last seen. Nil for a bookmark.
	Object   T
	Revision int64
	// InitialEventsEnd marks the bookmark that ends the initial state.
	InitialEventsEnd bool
}

// Watch is an open watch stream. It does not survive its connection: package informer is for that.
type Watch[T Object] struct {
	stream grpc.BidiStreamingClient[resourcev1.WatchRequest, resourcev1.WatchResponse]
	cancel context.CancelFunc
	log    *zap.Logger
	send   sync.Mutex
}

// Watch opens a watch. Errors of its options may come with the first Next.
func (c *Client[T]) Watch(ctx context.Context, o WatchOptions) (*Watch[T], error) {
	open := &resourcev1.WatchOpen{
		Selection:       c.selection(o.Namespace, o.LabelSelector, o.FieldSelector),
		ResourceVersion: o.ResourceVersion, SendInitialEvents: o.SendInitialEvents, AllowBookmarks: o.AllowBookmarks,
		Encoding: resourcev1.Encoding_ENCODING_PROTOBUF, Trim: c.wireTrim(), Acknowledger: o.Acknowledger,
	}
	if o.SendInitialEvents {
		open.ResourceVersionMatch = "NotOlderThan"
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := c.conn.waist.Watch(ctx, waitForReady)
	if err != nil {
		cancel()
		return nil, apierrors.FromGRPC(err)
	}
	w := &Watch[T]{stream: stream, cancel: cancel, log: c.conn.log}
	// A stream that broke already says why in Next.
	if err := w.request(&resourcev1.WatchRequest{Request: &resourcev1.WatchRequest_Open{Open: open}}); err != nil && err != io.EOF {
		cancel()
		return nil, apierrors.FromGRPC(err)
	}
	return w, nil
}

// Next blocks for the next events, in order of revision. io.EOF is the server's regular end of the watch. An object
// that cannot be decoded is logged and left out.
func (w *Watch[T]) Next() ([]WatchEvent[T], error) {
	for {
		resp, err := w.stream.Recv()
		if err != nil {
			return nil, apierrors.FromGRPC(err)
		}
		events := make([]WatchEvent[T], 0, len(resp.GetEvents()))
		for _, e := range resp.GetEvents() {
			ev := WatchEvent[T]{Type: e.GetType(), Revision: e.GetObject().GetRevision(), InitialEventsEnd: e.GetInitialEventsEnd()}
			if ev.Type != Bookmark {
				if ev.Object, err = decode[T](e.GetObject()); err != nil {
					w.log.Error("watched object cannot be decoded", zap.Error(err))
					continue
				}
			}
			events = append(events, ev)
		}
		if len(events) > 0 {
			return events, nil
		}
	}
}

// RequestProgress asks for a bookmark at the server's current revision. It may be called at any time.
func (w *Watch[T]) RequestProgress() error {
	return w.request(&resourcev1.WatchRequest{Request: &resourcev1.WatchRequest_Progress{Progress: &resourcev1.WatchProgress{}}})
}

// Acknowledge tells the server that everything up to the revision is in effect here. It may be called at any time.
func (w *Watch[T]) Acknowledge(revision int64) error {
	return w.request(&resourcev1.WatchRequest{Request: &resourcev1.WatchRequest_Acknowledge{
		Acknowledge: &resourcev1.WatchAcknowledge{Revision: revision},
	}})
}

func (w *Watch[T]) request(r *resourcev1.WatchRequest) error {
	w.send.Lock()
	defer w.send.Unlock()
	return w.stream.Send(r)
}

// Close ends the watch; a blocked Next returns.
func (w *Watch[T]) Close() { w.cancel() }

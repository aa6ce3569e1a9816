package pipeline

import (
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// Watch implements the resource service.
func (d *door) Watch(stream grpc.BidiStreamingServer[resourcev1.WatchRequest, resourcev1.WatchResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	open := first.GetOpen()
	if open == nil {
		return apierrors.ToGRPC(apierrors.NewBadRequest("the first message of a watch must open it"))
	}
	w, err := d.s.Watch(stream.Context(), open)
	if err != nil {
		return apierrors.ToGRPC(err)
	}
	defer w.Close()
	// The client learns from the header that the watch is open, before there is an event.
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	// Ends when this method returns, for that ends the stream.
	go d.listen(stream, w)
	sh := shape{encoding: open.GetEncoding(), trim: open.GetTrim()}
	for {
		events, err := w.Next(stream.Context())
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return apierrors.ToGRPC(err)
		}
		if err := d.sendEvents(stream, sh, events); err != nil {
			return err
		}
	}
}

// listen acts on what the client says while the watch is open.
func (d *door) listen(stream grpc.BidiStreamingServer[resourcev1.WatchRequest, resourcev1.WatchResponse], w *Watch) {
	for {
		req, err := stream.Recv()
		if err != nil {
			return // closed, or the watch is over
		}
		switch r := req.GetRequest().(type) {
		case *resourcev1.WatchRequest_Progress:
			w.Progress()
		case *resourcev1.WatchRequest_Acknowledge:
			w.Acknowledge(r.Acknowledge.GetRevision())
		}
	}
}

func (d *door) sendEvents(stream grpc.BidiStreamingServer[resourcev1.WatchRequest, resourcev1.WatchResponse], sh shape, events []Event) error {
	if len(events) == 1 && events[0].Item != nil {
		one, err := d.single(sh, &events[0])
		if err != nil {
			return apierrors.ToGRPC(err)
		}
		return stream.Send(one)
	}
	out := &resourcev1.WatchResponse{Events: make([]*resourcev1.WatchEvent, 0, len(events))}
	size := 0
	for i := range events {
		e := &events[i]
		o := &resourcev1.Object{Revision: e.Revision}
		if e.Item != nil {
			var err error
			if o, err = sh.object(e.Item); err != nil {
				return apierrors.ToGRPC(err)
			}
		}
		out.Events = append(out.Events, &resourcev1.WatchEvent{Type: e.Type, Object: o, InitialEventsEnd: e.InitialEventsEnd})
		if size += len(o.Raw); size >= chunkBytes {
			if err := stream.Send(out); err != nil {
				return err
			}
			out.Events, size = out.Events[:0], 0
		}
	}
	if len(out.Events) == 0 {
		return nil
	}
	return stream.Send(out)
}

package door

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/client"
)

// grpcWatch is a watch over a connection of its own.
type grpcWatch struct {
	conn *client.Conn
	open *resourcev1.WatchOpen
}

// Watcher implements Door.
func (d *GRPC) Watcher(namespace string, after int64) (Watcher, error) {
	conn, err := d.dial()
	if err != nil {
		return nil, err
	}
	return &grpcWatch{conn: conn, open: &resourcev1.WatchOpen{Selection: d.selection(namespace, ""),
		ResourceVersion: strconv.FormatInt(after, 10), Encoding: resourcev1.Encoding_ENCODING_PROTOBUF}}, nil
}

// Run implements Watcher.
func (w *grpcWatch) Run(ctx context.Context, opened func(), event func(time.Time)) error {
	defer w.conn.Close()
	stream, err := w.conn.Waist().Watch(ctx)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	// A bookmark asked for is the first sign that the server has taken the watch up.
	for _, req := range []*resourcev1.WatchRequest{
		{Request: &resourcev1.WatchRequest_Open{Open: w.open}},
		{Request: &resourcev1.WatchRequest_Progress{Progress: &resourcev1.WatchProgress{}}},
	} {
		if err := stream.Send(req); err != nil {
			break // Recv says why
		}
	}
	for first := true; ; {
		resp, err := stream.Recv()
		if err != nil {
			return unlessEnded(ctx, err)
		}
		if first {
			opened()
			first = false
		}
		for _, e := range resp.GetEvents() {
			if e.GetType() == resourcev1.EventType_EVENT_TYPE_BOOKMARK {
				continue
			}
			mark, ok := pods.Sent(e.GetObject().GetRaw())
			if !ok {
				return fmt.Errorf("an event without a mark: %v", e.GetType())
			}
			event(mark)
		}
	}
}

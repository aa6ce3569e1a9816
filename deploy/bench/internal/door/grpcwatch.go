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

type grpcConnection struct {
	door *GRPC
	conn *client.Conn
}

// Connect implements Door.
func (d *GRPC) Connect(context.Context) (Connection, error) {
	conn, err := d.dial()
	if err != nil {
		return nil, err
	}
	return &grpcConnection{d, conn}, nil
}

// Close implements Connection.
func (c *grpcConnection) Close() { _ = c.conn.Close() }

// Watcher implements Connection.
func (c *grpcConnection) Watcher(namespace string, after int64) Watcher {
	return &grpcWatch{conn: c.conn, open: &resourcev1.WatchOpen{Selection: c.door.selection(namespace, ""),
		ResourceVersion: strconv.FormatInt(after, 10), Encoding: resourcev1.Encoding_ENCODING_PROTOBUF}}
}

type grpcWatch struct {
	conn *client.Conn
	open *resourcev1.WatchOpen
}

// Run implements Watcher.
func (w *grpcWatch) Run(ctx context.Context, opened func(), event func(time.Time)) error {
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

package pipeline

import (
	"sync"

	"google.golang.org/grpc"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// chunkBytes is how much of a list or of events one message carries. With one more object, mostly, it fits into gRPC's
// buffers of 32 KiB; the next larger ones have 1 MiB, which each list would take and clear for every message.
const chunkBytes = 28 << 10

// rooms are what lists make their messages in; larger ones than maxRoom are not used again.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

const maxRoom = 2 * chunkBytes

// List implements the resource service.
func (d *door) List(req *resourcev1.ListRequest, stream grpc.ServerStreamingServer[resourcev1.ListResponse]) error {
	list, err := d.s.List(stream.Context(), req)
	if err != nil {
		return apierrors.ToGRPC(err)
	}
	room := rooms.Get().(*[]byte)
	defer func() {
		if *room = (*room)[:0]; cap(*room) <= maxRoom {
			rooms.Put(room)
		}
	}()
	sh := shape{encoding: req.GetEncoding(), trim: req.GetTrim(), room: room}
	chunk := &resourcev1.ListResponse{Revision: list.Revision}
	// The messages of a chunk are used again for the next: Send has encoded them when it returns.
	size := 0
	for i, it := range list.Items {
		o, err := sh.object(it)
		if err != nil {
			return apierrors.ToGRPC(err)
		}
		chunk.Objects = append(chunk.Objects, o)
		if size += len(o.Raw); size < chunkBytes || i == len(list.Items)-1 {
			continue
		}
		if err := stream.Send(chunk); err != nil {
			return err
		}
		clear(chunk.Objects)
		chunk.Objects, size, *sh.room = chunk.Objects[:0], 0, (*sh.room)[:0]
	}
	chunk.ContinueToken, chunk.Remaining = list.Continue, list.Remaining
	return stream.Send(chunk)
}

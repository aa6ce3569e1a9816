package respond

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/rest/envelope"
	"github.com/keelson/keelson/apiserver/internal/rest/media"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/schema"
)

// WatchFormats are the encodings of watches. YAML has no framing that clients agree on.
var WatchFormats = []media.Format{media.JSON, media.Protobuf}

// initialEventsEnd is the annotation of the bookmark that ends the initial state of a watch.
const initialEventsEnd = "k8s.io/initial-events-end"

// maxBuffered is how many bytes of events are gathered before they are handed to the connection although more are at
// hand.
const maxBuffered = 64 << 10

// eventBuffers are what events are gathered in; a watch without events has none.
var eventBuffers = sync.Pool{New: func() any { return new([]byte) }}

// stuckAfter is how long a watcher may take to read what it was sent.
const stuckAfter = time.Minute

// Events writes a watch: one JSON document a line, or protobuf messages behind their length.
type Events struct {
	w       *Writer
	kind    *schema.Kind
	include Include
	// titled is set once a table's column definitions have been sent: they come with the first event only.
	titled bool
	// Each hands every event to the connection by itself.
	Each bool
	// buf is gathered in room, which is there from the first event to the next flush.
	buf  []byte
	room *[]byte
	// pieces are those of the event that is offered; Offered is how many bytes were taken that way.
	pieces  [3][]byte
	Offered int64
	// deadline is that of writing, as it was last set.
	deadline time.Time
}

// Events answers with the beginning of a watch.
func (w *Writer) Events(kind *schema.Kind, include Include) *Events {
	contentType := media.TypeJSON
	if w.Accept.Format == media.Protobuf {
		contentType = media.TypeProtobuf + ";stream=watch"
	}
	w.start(http.StatusOK, contentType, -1)
	e := &Events{w: w, kind: kind, include: include}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	return e
}

// Close takes the deadline of the last write off the connection, which the client may use again.
func (e *Events) Close() {
	_ = http.NewResponseController(e.w.ResponseWriter).SetWriteDeadline(time.Time{})
}

// Write sends events.
func (e *Events) Write(events []pipeline.Event) error {
	e.borrow()
	for i := range events {
		ev := &events[i]
		if ev.Type == resourcev1.EventType_EVENT_TYPE_BOOKMARK {
			if err := e.bookmark(ev); err != nil {
				return err
			}
		} else if err := e.object(typeName(ev.Type), ev.Item); err != nil {
			return err
		}
		if len(e.buf) >= maxBuffered || e.Each {
			if err := e.send(); err != nil {
				return err
			}
		}
	}
	return e.flush()
}

// Error sends the event that ends a watch by a failure.
func (e *Events) Error(s *metav1.Status) error {
	wire, err := proto.Marshal(s)
	if err != nil {
		return err
	}
	e.borrow()
	if e.w.Accept.Format == media.Protobuf {
		e.frame("ERROR", "v1", "Status", len(wire), func(dst []byte) []byte { return append(dst, wire...) })
		return e.flush()
	}
	e.open("ERROR")
	e.buf, err = codec.For(s.ProtoReflect().Descriptor()).AppendJSON(e.buf, wire, codec.EncodeOptions{APIVersion: "v1", Kind: "Status"})
	if err != nil {
		return err
	}
	e.close()
	return e.flush()
}

func typeName(t resourcev1.EventType) string {
	switch t {
	case resourcev1.EventType_EVENT_TYPE_ADDED:
		return "ADDED"
	case resourcev1.EventType_EVENT_TYPE_DELETED:
		return "DELETED"
	}
	return "MODIFIED"
}

// object sends one change. The JSON of an item is made once for all its watchers.
func (e *Events) object(typ string, it *pipeline.Item) (err error) {
	view, protobuf := e.w.Accept.View, e.w.Accept.Format == media.Protobuf
	partialVersion := "meta.k8s.io/" + e.w.Accept.ViewVersion
	switch {
	case protobuf && view == media.Metadata:
		e.frame(typ, partialVersion, partialKind, it.MetadataSize(), it.AppendMetadata)
		return nil
	case protobuf:
		e.frame(typ, it.Kind.APIVersion(), it.Kind.Kind, it.Size(), it.AppendWire)
		return nil
	}
	e.open(typ)
	switch view {
	case media.Table:
		e.buf, err = e.w.appendRowTable(e.buf, e.kind, it, e.include, !e.titled)
		e.titled = true
	case media.Metadata:
		e.buf, err = it.AppendPartialJSON(e.buf, partialVersion)
	default:
		var b []byte
		if b, err = it.JSON(); err == nil {
			e.buf = append(e.buf, b...)
		}
	}
	e.close()
	return err
}

// bookmark sends an object of which only the resource version means something.
func (e *Events) bookmark(ev *pipeline.Event) error {
	meta := &metav1.ObjectMeta{ResourceVersion: strconv.FormatInt(ev.Revision, 10)}
	if ev.InitialEventsEnd {
		meta.Annotations = map[string]string{initialEventsEnd: "true"}
	}
	wire, err := proto.Marshal(&metav1.PartialObjectMetadata{Metadata: meta})
	if err != nil {
		return err
	}
	apiVersion, kind := e.kind.APIVersion(), e.kind.Kind
	if e.w.Accept.View == media.Metadata {
		apiVersion, kind = "meta.k8s.io/"+e.w.Accept.ViewVersion, partialKind
	}
	if e.w.Accept.Format == media.Protobuf {
		e.frame("BOOKMARK", apiVersion, kind, len(wire), func(dst []byte) []byte { return append(dst, wire...) })
		return nil
	}
	e.open("BOOKMARK")
	if e.w.Accept.View == media.Table {
		e.buf, err = e.w.appendBookmarkTable(e.buf, wire, meta.GetResourceVersion())
	} else {
		e.buf, err = codec.For(partialType).AppendJSON(e.buf, wire, codec.EncodeOptions{APIVersion: apiVersion, Kind: kind})
	}
	e.close()
	return err
}

// open begins a JSON event; typ needs no escaping.
func (e *Events) open(typ string) {
	e.buf = append(append(append(e.buf, `{"type":"`...), typ...), `","object":`...)
}

func (e *Events) close() { e.buf = append(e.buf, eventEnd...) }

var eventEnd = []byte("}\n")

// frame appends a WatchEvent behind its length: type, and the object in an envelope. raw appends the object's bytes, of
// which there are size.
func (e *Events) frame(typ, apiVersion, kind string, size int, raw func(dst []byte) []byte) {
	e.frameHead(typ, apiVersion, kind, size)
	e.buf = raw(e.buf)
}

// frameHead is frame up to the object's bytes.
func (e *Events) frameHead(typ, apiVersion, kind string, size int) {
	var space [96]byte
	head := envelope.AppendHeader(space[:0], apiVersion, kind, size)
	object := len(head) + size
	// RawExtension{raw = 1} inside of WatchEvent{type = 1, object = 2}.
	extension := protowire.SizeTag(1) + protowire.SizeBytes(object)
	event := protowire.SizeTag(1) + protowire.SizeBytes(len(typ)) + protowire.SizeTag(2) + protowire.SizeBytes(extension)
	e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(event))
	e.buf = protowire.AppendString(protowire.AppendTag(e.buf, 1, protowire.BytesType), typ)
	e.buf = protowire.AppendVarint(protowire.AppendTag(e.buf, 2, protowire.BytesType), uint64(extension))
	e.buf = protowire.AppendVarint(protowire.AppendTag(e.buf, 1, protowire.BytesType), uint64(object))
	e.buf = append(e.buf, head...)
}

func (e *Events) send() error {
	if len(e.buf) == 0 {
		return nil
	}
	// A watcher that does not read is cut off: it must not keep its events in memory for ever. Where there is no
	// connection to set a deadline on, there is none to wait for.
	if now := time.Now(); e.deadline.Sub(now) < stuckAfter*3/4 {
		e.deadline = now.Add(stuckAfter)
		_ = http.NewResponseController(e.w.ResponseWriter).SetWriteDeadline(e.deadline)
	}
	_, err := e.w.Write(e.buf)
	e.buf = e.buf[:0]
	return err
}

// borrow takes a buffer, give gives it back.
func (e *Events) borrow() {
	if e.room == nil {
		e.room = eventBuffers.Get().(*[]byte)
		e.buf = *e.room
	}
}

func (e *Events) give() {
	if *e.room = e.buf[:0]; cap(e.buf) <= 2*maxBuffered { // an exceptional event does not keep its memory
		eventBuffers.Put(e.room)
	}
	e.room, e.buf = nil, nil
}

func (e *Events) flush() error {
	err := e.send()
	e.give()
	if err != nil {
		return err
	}
	return http.NewResponseController(e.w.ResponseWriter).Flush()
}

// marshal writes JSON for table cells; "<none>" stays as readable as it is.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), newline), nil
}

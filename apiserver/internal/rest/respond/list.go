package respond

import (
	"net/http"
	"strconv"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keelson/keelson/apiserver/internal/rest/envelope"
	"github.com/keelson/keelson/apiserver/internal/rest/h2"
	"github.com/keelson/keelson/apiserver/internal/rest/media"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"google.golang.org/protobuf/proto"
)

// listMeta is a page's metadata.
func listMeta(l *pipeline.List) *metav1.ListMeta {
	m := &metav1.ListMeta{Continue: l.Continue, RemainingItemCount: l.Remaining}
	if l.Revision > 0 {
		m.ResourceVersion = strconv.FormatInt(l.Revision, 10)
	}
	return m
}

// List answers with a page of a collection.
func (w *Writer) List(l *pipeline.List) error {
	apiVersion, kind := l.Kind.APIVersion(), l.Kind.ListKind
	if kind == "" {
		kind = l.Kind.Kind + "List"
	}
	if w.Accept.View == media.Metadata {
		apiVersion, kind = "meta.k8s.io/"+w.Accept.ViewVersion, partialKind+"List"
	}
	if w.Accept.Format == media.Protobuf {
		return w.listProtobuf(l, apiVersion, kind)
	}
	head, err := listHead(l, apiVersion, kind)
	if err != nil {
		return err
	}
	item := func(dst []byte, it *pipeline.Item) ([]byte, error) { return it.AppendJSON(dst) }
	if w.Accept.View == media.Metadata {
		item = func(dst []byte, it *pipeline.Item) ([]byte, error) { return it.AppendPartialJSON(dst, apiVersion) }
	}
	return w.array(http.StatusOK, head, l.Items, item)
}

// listHead is a JSON list up to the opening bracket of its items.
func listHead(l *pipeline.List, apiVersion, kind string) ([]byte, error) {
	meta := listMeta(l)
	wire, err := proto.Marshal(meta)
	if err != nil {
		return nil, err
	}
	head := append([]byte(`{"kind":`), strconv.Quote(kind)...)
	head = append(append(head, `,"apiVersion":`...), strconv.Quote(apiVersion)...)
	head = append(head, `,"metadata":`...)
	if head, err = codec.For(meta.ProtoReflect().Descriptor()).AppendJSON(head, wire, codec.EncodeOptions{}); err != nil {
		return nil, err
	}
	return append(head, `,"items":[`...), nil
}

// chunk is how much of a list is gathered before it is handed to the connection, which would gather any other portion once
// more.
const chunk = h2.Chunk

// lists and objects are buffers in which answers are gathered. What an exceptional object has made of one is not kept. A
// client that does not read may hold on to one.
var (
	lists   = sync.Pool{New: func() any { b := make([]byte, 0, chunk+chunk/4); return &b }}
	objects = sync.Pool{New: func() any { b := make([]byte, 0, 12<<10); return &b }}
)

// portions hands what fills chunks to the connection and returns the rest, at the beginning of the buffer.
func (w *Writer) portions(buf []byte) ([]byte, error) {
	n := len(buf) / chunk * chunk
	_, err := w.Write(buf[:n])
	return buf[:copy(buf, buf[n:])], err
}

// array writes head, the items with commas between, and "]}". Plain JSON is streamed; the first chunk is complete
// before the header is sent, so that what fails at once still fails with a Status.
func (w *Writer) array(code int, head []byte, items []*pipeline.Item, item func([]byte, *pipeline.Item) ([]byte, error)) error {
	whole := w.Pretty || w.Accept.Format == media.YAML
	if whole && len(items) > wholeUpTo {
		return w.gradual(code, head, items, item)
	}
	pool := &lists
	if len(items) <= 4 {
		pool = &objects
	}
	b := pool.Get().(*[]byte)
	defer pool.Put(b)
	buf := append((*b)[:0], head...)
	started := false
	var err error
	for i, it := range items {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = item(buf, it); err != nil {
			if started {
				// The client must not take the beginning for the whole.
				panic(http.ErrAbortHandler)
			}
			return err
		}
		if !whole && len(buf) >= chunk {
			if !started {
				w.start(code, media.TypeJSON, -1)
				started = true
			}
			if buf, err = w.portions(buf); err != nil {
				return nil //nolint:nilerr // the client is gone
			}
		}
	}
	buf = append(buf, ']', '}')
	if !started {
		return w.JSON(code, buf)
	}
	return w.pieces(buf, newline)
}

// listProtobuf writes the list message around the items' own bytes: its size is known without copying them.
func (w *Writer) listProtobuf(l *pipeline.List, apiVersion, kind string) error {
	length, appendTo := (*pipeline.Item).Size, (*pipeline.Item).AppendWire
	if w.Accept.View == media.Metadata {
		length, appendTo = (*pipeline.Item).MetadataSize, (*pipeline.Item).AppendMetadata
	}
	meta, err := proto.Marshal(listMeta(l))
	if err != nil {
		return err
	}
	size := protowire.SizeTag(fieldMetadata) + protowire.SizeBytes(len(meta))
	for _, it := range l.Items {
		size += protowire.SizeTag(fieldItems) + protowire.SizeBytes(length(it))
	}
	b := lists.Get().(*[]byte)
	defer lists.Put(b)
	buf := envelope.AppendHeader((*b)[:0], apiVersion, kind, size)
	w.start(http.StatusOK, media.TypeProtobuf, len(buf)+size)
	buf = protowire.AppendTag(buf, fieldMetadata, protowire.BytesType)
	buf = protowire.AppendBytes(buf, meta)
	for _, it := range l.Items {
		buf = protowire.AppendTag(buf, fieldItems, protowire.BytesType)
		buf = appendTo(it, protowire.AppendVarint(buf, uint64(length(it))))
		if len(buf) >= chunk {
			if buf, err = w.portions(buf); err != nil {
				return nil //nolint:nilerr // the client is gone
			}
		}
	}
	return w.pieces(buf)
}

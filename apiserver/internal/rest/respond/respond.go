// Package respond writes answers: objects, lists and errors in the representation that was negotiated. Lists are
// written piece by piece from the cache's own bytes; only YAML and indented JSON are built as a whole first.
package respond

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/keelson/keelson/apiserver/internal/rest/envelope"
	"github.com/keelson/keelson/apiserver/internal/rest/media"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

// AllFormats are what objects of built-in kinds can be written in.
var AllFormats = []media.Format{media.JSON, media.YAML, media.Protobuf}

// Writer answers one request.
type Writer struct {
	http.ResponseWriter
	// Accept is the negotiated representation.
	Accept media.Accepted
	// Pretty asks for indented JSON.
	Pretty bool
	// ContentParams are appended to the answer's content type.
	ContentParams string
}

// New returns a writer of the client's preferred representation, or 406.
func New(w http.ResponseWriter, r *http.Request, want media.Want) (*Writer, error) {
	a, ok := media.Negotiate(r, want)
	if !ok {
		return nil, apierrors.NewNotAcceptable(join(want.Supported()))
	}
	return &Writer{ResponseWriter: w, Accept: a, Pretty: a.Params["pretty"] == "1" || media.Pretty(r)}, nil
}

// Error answers with a Status, in the client's format where that is spoken, else in JSON. Failures past the first byte
// of an answer cannot be told this way.
func Error(w http.ResponseWriter, r *http.Request, err error) {
	status := apierrors.FromError(err)
	a, ok := media.Negotiate(r, media.Want{Formats: AllFormats})
	if !ok {
		a = media.Accepted{Format: media.JSON}
	}
	out := &Writer{ResponseWriter: w, Accept: a, Pretty: media.Pretty(r)}
	if s := status.GetDetails().GetRetryAfterSeconds(); s > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(s)))
	}
	code := int(status.GetCode())
	if code < 100 || code > 599 {
		code = http.StatusInternalServerError
	}
	_ = out.Status(code, status)
}

// Status answers with a Status.
func (w *Writer) Status(code int, s *metav1.Status) error {
	if s.Metadata == nil {
		s = proto.Clone(s).(*metav1.Status)
		s.Metadata = &metav1.ListMeta{} // clients expect the empty object
	}
	return w.Message(code, "v1", "Status", s)
}

// Message answers with a message that is not an object of the cache.
func (w *Writer) Message(code int, apiVersion, kind string, m proto.Message) error {
	wire, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	if w.Accept.Format == media.Protobuf {
		return w.protobuf(code, apiVersion, kind, wire)
	}
	b, err := codec.For(m.ProtoReflect().Descriptor()).AppendJSON(nil, wire, codec.EncodeOptions{APIVersion: apiVersion, Kind: kind})
	if err != nil {
		return err
	}
	return w.JSON(code, b)
}

// Item answers with one object of the cache.
func (w *Writer) Item(code int, it *pipeline.Item) error {
	if w.Accept.View == media.Metadata {
		return w.metadata(code, it)
	}
	if w.Accept.Format == media.Protobuf {
		return w.object(code, it.Kind.APIVersion(), it.Kind.Kind, it.Size(), it.AppendWire)
	}
	b := objects.Get().(*[]byte)
	defer objects.Put(b)
	out, err := it.AppendJSON((*b)[:0])
	if err != nil {
		return err
	}
	return w.JSON(code, out)
}

// metadata answers with an object's metadata only.
func (w *Writer) metadata(code int, it *pipeline.Item) error {
	apiVersion := "meta.k8s.io/" + w.Accept.ViewVersion
	if w.Accept.Format == media.Protobuf {
		return w.object(code, apiVersion, partialKind, it.MetadataSize(), it.AppendMetadata)
	}
	b := objects.Get().(*[]byte)
	defer objects.Put(b)
	out, err := it.AppendPartialJSON((*b)[:0], apiVersion)
	if err != nil {
		return err
	}
	return w.JSON(code, out)
}

// JSON answers with a whole document given as JSON, written as JSON or YAML.
func (w *Writer) JSON(code int, b []byte) error {
	switch {
	case w.Accept.Format == media.YAML:
		y, err := yaml.JSONToYAML(b)
		if err != nil {
			return err
		}
		return w.bytes(code, media.TypeYAML, y)
	case w.Pretty:
		var buf bytes.Buffer
		buf.Grow(len(b) * 2)
		if err := json.Indent(&buf, b, "", "  "); err != nil {
			return err
		}
		return w.bytes(code, media.TypeJSON, buf.Bytes())
	}
	w.start(code, media.TypeJSON, len(b)+1)
	return w.pieces(b, newline)
}

func (w *Writer) protobuf(code int, apiVersion, kind string, raw []byte) error {
	head := envelope.AppendHeader(make([]byte, 0, 64), apiVersion, kind, len(raw))
	w.start(code, media.TypeProtobuf, len(head)+len(raw))
	return w.pieces(head, raw)
}

// object is protobuf for bytes that raw appends; there are size of them.
func (w *Writer) object(code int, apiVersion, kind string, size int, raw func(dst []byte) []byte) error {
	head := envelope.AppendHeader(make([]byte, 0, 96+size), apiVersion, kind, size)
	return w.bytes(code, media.TypeProtobuf, raw(head))
}

var newline = []byte("\n")

func (w *Writer) bytes(code int, contentType string, b []byte) error {
	w.start(code, contentType, len(b))
	return w.pieces(b)
}

// start writes the header; size -1 is unknown.
func (w *Writer) start(code int, contentType string, size int) {
	h := w.Header()
	h.Set("Content-Type", contentType+w.ContentParams)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache, private")
	}
	if size >= 0 {
		h.Set("Content-Length", strconv.Itoa(size))
	}
	w.WriteHeader(code)
}

// pieces writes; an error is that of the connection, about which nothing can be done.
func (w *Writer) pieces(all ...[]byte) error {
	for _, b := range all {
		if _, err := w.Write(b); err != nil {
			return nil //nolint:nilerr // the client is gone
		}
	}
	return nil
}

func join(list []string) string {
	var out []byte
	for i, s := range list {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(out, s...)
	}
	return string(out)
}

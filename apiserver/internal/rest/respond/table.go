package respond

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/schema"
)

// Include says how much of the object a table's row holds.
type Include string

// Values of Include, as in the query.
const (
	IncludeNone     Include = "None"
	IncludeMetadata Include = "Metadata"
	IncludeObject   Include = "Object"
)

// Table answers with the table of objects that kubectl prints; l is nil for a single object.
func (w *Writer) Table(code int, kind *schema.Kind, items []*pipeline.Item, l *pipeline.List, include Include) error {
	b, err := w.appendTable(make([]byte, 0, 512+len(items)*768), kind, items, l, include, true)
	if err != nil {
		return err
	}
	return w.JSON(code, b)
}

// appendTable writes a Table. The column definitions of a watch come with its first event only.
func (w *Writer) appendTable(dst []byte, kind *schema.Kind, items []*pipeline.Item, l *pipeline.List, include Include, titled bool) ([]byte, error) {
	apiVersion := "meta.k8s.io/" + w.Accept.ViewVersion
	dst, err := w.tableHead(dst, apiVersion, items, l)
	if err != nil {
		return dst, err
	}
	if titled {
		columns, err := columnsOf(kind)
		if err != nil {
			return dst, err
		}
		dst = append(dst, columns...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"rows":[`...)
	now := time.Now()
	for i, it := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendRow(dst, it, include, apiVersion, now); err != nil {
			return dst, err
		}
	}
	return append(dst, "]}"...), nil
}

// tableHead writes a table up to the value of columnDefinitions. Its metadata is the list's, or the single object's
// resource version.
func (w *Writer) tableHead(dst []byte, apiVersion string, items []*pipeline.Item, l *pipeline.List) ([]byte, error) {
	if l == nil {
		l = &pipeline.List{}
		if len(items) == 1 {
			l.Revision = items[0].Revision
		}
	}
	meta := listMeta(l)
	wire, err := proto.Marshal(meta)
	if err != nil {
		return dst, err
	}
	dst = append(append(append(dst, `{"kind":"Table","apiVersion":"`...), apiVersion...), `","metadata":`...)
	if dst, err = codec.For(meta.ProtoReflect().Descriptor()).AppendJSON(dst, wire, codec.EncodeOptions{}); err != nil {
		return dst, err
	}
	return append(dst, `,"columnDefinitions":`...), nil
}

func appendRow(dst []byte, it *pipeline.Item, include Include, apiVersion string, now time.Time) ([]byte, error) {
	b, err := cellsOf(it, now)
	if err != nil {
		return dst, err
	}
	dst = append(append(dst, `{"cells":`...), b...)
	dst = append(dst, `,"object":`...)
	switch include {
	case IncludeObject:
		dst, err = it.AppendJSON(dst)
	case IncludeNone:
		dst = append(dst, "null"...)
	default:
		dst, err = appendPartial(dst, it.Wire, apiVersion)
	}
	return append(dst, '}'), err
}

// appendBookmarkTable writes a bookmark as a table: one row without cells' meaning, whose object has the resource
// version.
func (w *Writer) appendBookmarkTable(dst, wire []byte, revision string) ([]byte, error) {
	apiVersion := "meta.k8s.io/" + w.Accept.ViewVersion
	dst = append(append(append(dst, `{"kind":"Table","apiVersion":"`...), apiVersion...), `","metadata":{"resourceVersion":`...)
	dst = append(strconv.AppendQuote(dst, revision), `},"columnDefinitions":null,"rows":[{"cells":[],"object":`...)
	dst, err := codec.For(partialType).AppendJSON(dst, wire, codec.EncodeOptions{APIVersion: apiVersion, Kind: partialKind})
	return append(dst, "}]}"...), err
}

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
	head, err := w.tableHead(make([]byte, 0, 1024), kind, items, l, true)
	if err != nil {
		return err
	}
	var names map[*pipeline.Item]string
	if l != nil {
		if items, names, err = arrange(kind, items); err != nil {
			return err
		}
	}
	now, apiVersion := time.Now(), w.viewVersion()
	return w.array(code, head, items, func(dst []byte, it *pipeline.Item) ([]byte, error) {
		return appendRow(dst, it, names[it], include, apiVersion, now)
	})
}

// appendRowTable writes a table of one object, for a watch: the column definitions come with its first event only.
func (w *Writer) appendRowTable(dst []byte, kind *schema.Kind, it *pipeline.Item, include Include, titled bool) ([]byte, error) {
	dst, err := w.tableHead(dst, kind, []*pipeline.Item{it}, nil, titled)
	if err != nil {
		return dst, err
	}
	dst, err = appendRow(dst, it, "", include, w.viewVersion(), time.Now())
	return append(dst, "]}"...), err
}

// viewVersion is the apiVersion of tables and metadata.
func (w *Writer) viewVersion() string { return "meta.k8s.io/" + w.Accept.ViewVersion }

// tableHead writes a table up to the opening bracket of its rows. Its metadata is the list's, or the single object's
// resource version.
func (w *Writer) tableHead(dst []byte, kind *schema.Kind, items []*pipeline.Item, l *pipeline.List, titled bool) ([]byte, error) {
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
	dst = append(append(append(dst, `{"kind":"Table","apiVersion":"`...), w.viewVersion()...), `","metadata":`...)
	if dst, err = codec.For(meta.ProtoReflect().Descriptor()).AppendJSON(dst, wire, codec.EncodeOptions{}); err != nil {
		return dst, err
	}
	definitions := []byte("null")
	if titled {
		if definitions, err = columnsOf(kind); err != nil {
			return dst, err
		}
	}
	dst = append(append(dst, `,"columnDefinitions":`...), definitions...)
	return append(dst, `,"rows":[`...), nil
}

// appendRow appends the row of an object; name stands in the place of the object's, where it is not empty.
func appendRow(dst []byte, it *pipeline.Item, name string, include Include, apiVersion string, now time.Time) ([]byte, error) {
	cells, conditions, err := cellsOf(it, now)
	if err != nil {
		return dst, err
	}
	if name != "" {
		cells[0] = name
	}
	if dst, err = appendCells(append(dst, `{"cells":`...), cells); err != nil {
		return dst, err
	}
	if len(conditions) > 0 {
		b, err := marshal(conditions)
		if err != nil {
			return dst, err
		}
		dst = append(append(dst, `,"conditions":`...), b...)
	}
	dst = append(dst, `,"object":`...)
	switch include {
	case IncludeObject:
		dst, err = it.AppendJSON(dst)
	case IncludeNone:
		dst = append(dst, "null"...)
	default:
		dst, err = it.AppendPartialJSON(dst, apiVersion)
	}
	return append(dst, '}'), err
}

// appendBookmarkTable writes a bookmark as a table: one row without cells' meaning, whose object has the resource
// version.
func (w *Writer) appendBookmarkTable(dst, wire []byte, revision string) ([]byte, error) {
	apiVersion := w.viewVersion()
	dst = append(append(append(dst, `{"kind":"Table","apiVersion":"`...), apiVersion...), `","metadata":{"resourceVersion":`...)
	dst = append(strconv.AppendQuote(dst, revision), `},"columnDefinitions":null,"rows":[{"cells":[],"object":`...)
	dst, err := codec.For(partialType).AppendJSON(dst, wire, codec.EncodeOptions{APIVersion: apiVersion, Kind: partialKind})
	return append(dst, "}]}"...), err
}

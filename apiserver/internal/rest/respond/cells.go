package respond

import (
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/table"
)

// columns remembers each kind's column definitions as JSON: they do not change while the server runs.
var columns sync.Map // *schema.Kind -> []byte

func columnsOf(kind *schema.Kind) ([]byte, error) {
	if b, ok := columns.Load(kind); ok {
		return b.([]byte), nil
	}
	b, err := marshal(table.Columns(kind))
	if err == nil {
		columns.Store(kind, b)
	}
	return b, err
}

// cellsOf computes the cells and conditions of an object's row, of which it decodes no more than they need; ages are as of
// now.
func cellsOf(it *pipeline.Item, now time.Time) (cells []any, conditions []table.Condition, err error) {
	show := func(obj proto.Message) { cells, conditions = table.Cells(it.Kind, obj, now), table.Conditions(obj) }
	if p := table.Reads(it.Kind); p != nil {
		err = p.View(it.Trimmed(), show)
		return cells, conditions, err
	}
	obj, err := it.DecodeTrimmed()
	if err == nil {
		show(obj)
	}
	return cells, conditions, err
}

// arrange puts the items of a list into the order of their lines, with the names that lines have for them.
func arrange(kind *schema.Kind, items []*pipeline.Item) ([]*pipeline.Item, map[*pipeline.Item]string, error) {
	lines := table.Lines(kind)
	if lines == nil || len(items) == 0 {
		return items, nil, nil
	}
	objs := make([]proto.Message, len(items))
	for i, it := range items {
		var err error
		if objs[i], err = it.DecodeTrimmed(); err != nil {
			return nil, nil, err
		}
	}
	out, names := make([]*pipeline.Item, 0, len(items)), map[*pipeline.Item]string{}
	for _, l := range lines(objs) {
		out = append(out, items[l.Index])
		if l.Name != "" {
			names[items[l.Index]] = l.Name
		}
	}
	return out, names, nil
}

func appendCells(dst []byte, cells []any) (_ []byte, err error) {
	dst = append(dst, '[')
	for i, cell := range cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendCell(dst, cell); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendCell appends a cell as marshal would; the usual ones need no encoder.
func appendCell(dst []byte, cell any) ([]byte, error) {
	switch v := cell.(type) {
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		if plain(v) {
			return append(append(append(dst, '"'), v...), '"'), nil
		}
	}
	b, err := marshal(cell)
	return append(dst, b...), err
}

// plain tells whether a string stands for itself in JSON.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

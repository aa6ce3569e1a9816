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

// cellsOf computes the cells of an object's row, of which it decodes no more than they need; ages are as of now.
func cellsOf(it *pipeline.Item, now time.Time) (cells []any, err error) {
	if p := table.Reads(it.Kind); p != nil {
		err = p.View(it.Trimmed(), func(obj proto.Message) { cells = table.Cells(it.Kind, obj, now) })
		return cells, err
	}
	obj, err := it.DecodeTrimmed()
	if err != nil {
		return nil, err
	}
	return table.Cells(it.Kind, obj, now), nil
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

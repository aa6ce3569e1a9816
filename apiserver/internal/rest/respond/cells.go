package respond

import (
	"sync"
	"time"

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

// cellsOf computes a row; ages are as of now.
func cellsOf(it *pipeline.Item, now time.Time) ([]byte, error) {
	obj, err := it.DecodeTrimmed()
	if err != nil {
		return nil, err
	}
	return marshal(table.Cells(it.Kind, obj, now))
}

package respond

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/randmsg"
	"github.com/keelson/keelson/proto/schema/table"
)

// A row has the bytes that encoding the whole object's cells and its metadata would give, of every kind.
func TestRowOfAnything(t *testing.T) {
	now := time.Unix(1<<31, 0)
	for _, k := range schema.Builtin().Kinds() {
		for seed := range uint64(12) {
			obj := k.New()
			randmsg.Fill(rand.New(rand.NewPCG(seed, 4)), obj.ProtoReflect(), float64(seed)/12, 6)
			raw, err := proto.Marshal(obj)
			if err != nil {
				t.Fatal(err)
			}
			it, err := item.New(k, raw, 7, "n", "x")
			if err != nil {
				t.Fatal(err)
			}
			whole, err := it.DecodeTrimmed()
			if err != nil {
				t.Fatal(err)
			}
			cells, err := marshal(table.Cells(k, whole, now))
			if err != nil {
				t.Fatal(err)
			}
			want := append(append([]byte(`{"cells":`), cells...), `,"object":`...)
			if want, err = codec.For(partialType).AppendJSON(want, it.AppendMetadata(nil), codec.EncodeOptions{APIVersion: "meta.k8s.io/v1", Kind: partialKind}); err != nil {
				t.Fatal(err)
			}
			want = append(want, '}')
			for range 2 { // the second time some checks are not made again
				got, err := appendRow(nil, it, "", IncludeMetadata, "meta.k8s.io/v1", now)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%s: %v\n%s\nwant\n%s", k.Kind, err, got, want)
				}
			}
		}
	}
}

func TestCellsAreEncodedAsByTheLibrary(t *testing.T) {
	for _, cell := range []any{
		nil, int64(0), int64(-7), true, false, 1.5, "", "a", "<none>", "a&b", `"q"`, `\`, "a\nb", "\b\f\x00\x1f", "\x7f", "ü", "\u2028", "\xff",
		"😀", []any{"a"}, map[string]any{"k": int64(1)}, int32(3),
	} {
		want, err := marshal(cell)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := appendCell([]byte("x"), cell); err != nil || string(got) != "x"+string(want) {
			t.Errorf("%#v: %s, %v, want %s", cell, got, err, want)
		}
	}
}

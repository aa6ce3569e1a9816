package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/proto/codec"
)

// FuzzNode holds nodes against encoding/json: the same documents are read, to the same values. What is written is read
// back, and by trees it is written alike.
func FuzzNode(f *testing.F) {
	for _, s := range []string{``, `{}`, `[]`, `null`, `{"b":1,"a":[true,false,null,"x\n\u00e9\ud83d\ude00"],"b":-0}`, `1e2`, `-1.50`, `9223372036854775807`,
		`9223372036854775808`, `1e999`, `{"a":1,}`, `[1 2]`, `"\x"`, "\"\xff\"", ` {"a" : {"b":{}} } `, `{"a":1}x`, `{"c":"","b":{"a":[[],{}]}}`, string(podJSON)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		tree, wantErr := standard(doc)
		n, err := codec.ParseNode(doc)
		if (err == nil) != (wantErr == nil) && utf8.Valid(doc) {
			t.Fatalf("%v, want %v", err, wantErr)
		}
		if err != nil || wantErr != nil {
			return
		}
		if diff := cmp.Diff(tree, n.Tree()); diff != "" {
			t.Fatalf("-tree +node\n%s", diff)
		}
		want, wantErr := codec.AppendTree(nil, tree)
		got, err := codec.AppendNode(nil, &n)
		if string(got) != string(want) || !errors.Is(err, wantErr) {
			t.Fatalf("%s %v, want %s %v", got, err, want, wantErr)
		}
		again, err := codec.ParseNode(got)
		if err != nil || !n.Equal(&again) || n.Compare(&again) != 0 {
			t.Fatalf("%s is not itself: %v", got, err)
		}
	})
}

// standard reads a document by encoding/json, and its numbers as ParseTree says.
func standard(doc []byte) (any, error) {
	in := json.NewDecoder(bytes.NewReader(doc))
	in.UseNumber()
	var v any
	if err := in.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := in.Token(); err != io.EOF {
		return nil, errors.New("something follows")
	}
	return numbers(v)
}

func numbers(v any) (out any, err error) {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = numbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func TestNode(t *testing.T) {
	parse := func(s string) *codec.Node {
		n, err := codec.ParseNode([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return &n
	}
	// In the order of their values.
	for i, list := 0, []string{`-1.5`, `0`, `80`, `80.5`, `"a"`, `"b"`, `false`, `true`, `[]`, `{}`, `null`}; i < len(list); i++ {
		for j := range list {
			a, b := parse(list[i]), parse(list[j])
			if got := a.Compare(b); got != cmpInt(i, j) || a.Equal(b) != (i == j) || a.Same(b) != (i == j) {
				t.Errorf("%s and %s: %d", list[i], list[j], got)
			}
		}
	}
	if a, b := parse(`{"a":1}`), parse(`{"a":1.0}`); !a.Equal(b) || a.Same(b) {
		t.Error("1 is 1.0")
	}
	n := parse(`{"b":"x","a":1}`)
	if n.Member("b").String() != "x" || n.Member("a").Int() != 1 || n.Member("c") != nil || n.Member("b").Member("x") != nil || n.Member("c").String() != "" {
		t.Error("members")
	}
}

func cmpInt(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func BenchmarkNode(b *testing.B) {
	b.Run("nodes", func(b *testing.B) {
		b.ReportAllocs()
		var memory codec.Nodes
		for b.Loop() {
			memory.Reset()
			if _, err := memory.Parse(podJSON); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("tree", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := codec.ParseTree(podJSON); err != nil {
				b.Fatal(err)
			}
		}
	})
}

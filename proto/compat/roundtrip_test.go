package compat

import (
	"encoding/json"
	"math/rand"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"github.com/keelson/keelson/proto/codec"
)

func each(t *testing.T, fn func(t *testing.T, r root)) {
	for _, r := range roots(t) {
		t.Run(r.String(), func(t *testing.T) { fn(t, r) })
	}
}

// samples gives random objects of their type with their own protobuf.
func samples(t *testing.T, r root, fn func(obj wire, raw []byte)) {
	f := filler(int64(len(r.String())) * 7919)
	for range *iterations {
		obj := r.their(t)
		f.Fill(obj)
		clearTypeMeta(obj)
		raw, err := obj.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		// Once through protobuf, so that only what it can say is compared.
		norm := r.their(t)
		if err := norm.Unmarshal(raw); err != nil {
			t.Fatal(err)
		}
		fn(norm, raw)
		if t.Failed() {
			return
		}
	}
}

func clearTypeMeta(obj runtime.Object) {
	if f := reflect.ValueOf(obj).Elem().FieldByName("TypeMeta"); f.IsValid() {
		f.SetZero()
	}
}

// TestProtobufRoundTrip: their protobuf -> ours -> theirs.
func TestProtobufRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, r root) {
		samples(t, r, func(want wire, raw []byte) {
			msg := r.our(t)
			if err := (proto.UnmarshalOptions{DiscardUnknown: false}).Unmarshal(raw, msg); err != nil {
				t.Fatal(err)
			}
			noUnknown(t, msg.ProtoReflect())
			out, err := proto.Marshal(msg)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, r, want, out)
		})
	})
}

// TestJSONRoundTrip: their JSON -> our protobuf -> theirs, and what we read is what they would have read.
func TestJSONRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, r root) {
		ty := codec.For(r.desc)
		samples(t, r, func(want wire, raw []byte) {
			text, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			// JSON cannot say all that protobuf can (the zero time behind a pointer, for one): compare with their reading.
			read := r.their(t)
			if strict, err := kjson.UnmarshalStrict(text, read); err != nil || len(strict) > 0 {
				t.Fatalf("theirs: %v %v", strict, err)
			}
			out, _, err := ty.ParseJSON(nil, text, codec.DecodeOptions{Validation: codec.Strict})
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			equal(t, r, read, out)
			msg := r.our(t)
			if err := proto.Unmarshal(out, msg); err != nil {
				t.Fatal(err)
			}
			// The struct path: JSON -> struct -> JSON -> theirs.
			again, err := codec.Marshal(msg)
			if err != nil {
				t.Fatal(err)
			}
			back := r.their(t)
			if strict, err := kjson.UnmarshalStrict(again, back); err != nil || len(strict) > 0 {
				t.Fatalf("theirs: %v %v\n%s", strict, err, again)
			}
			clearTypeMeta(back)
			if !equality.Semantic.DeepEqual(read, back) {
				t.Fatalf("struct path differs:\n%s", cmp.Diff(tree(t, mustJSON(t, read)), tree(t, mustJSON(t, back))))
			}
		})
	})
}

// TestOurJSONIsTheirs: the JSON that we make of their protobuf is what they make of it, field by field.
func TestOurJSONIsTheirs(t *testing.T) {
	each(t, func(t *testing.T, r root) {
		ty := codec.For(r.desc)
		samples(t, r, func(want wire, raw []byte) {
			text, err := ty.AppendJSON(nil, raw, codec.EncodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			read := r.their(t)
			if strict, err := kjson.UnmarshalStrict(text, read); err != nil || len(strict) > 0 {
				t.Fatalf("theirs: %v %v\n%s", strict, err, text)
			}
			if diff := cmp.Diff(tree(t, mustJSON(t, want)), tree(t, text)); diff != "" {
				t.Fatalf("-theirs +ours\n%s", diff)
			}
		})
	})
}

// TestOurFieldsAreTheirs: every field that our messages have is known to their strict decoder.
func TestOurFieldsAreTheirs(t *testing.T) {
	each(t, func(t *testing.T, r root) {
		rng := rand.New(rand.NewSource(1))
		for range *iterations {
			msg := r.our(t)
			fillOurs(rng, msg.ProtoReflect(), 0)
			text, err := codec.Marshal(msg)
			if err != nil {
				t.Fatal(err)
			}
			read := r.their(t)
			if strict, err := kjson.UnmarshalStrict(text, read); err != nil || len(strict) > 0 {
				t.Fatalf("theirs: %v %v\n%s", strict, err, text)
			}
			back, _, err := codec.For(r.desc).ParseJSON(nil, text, codec.DecodeOptions{Validation: codec.Strict})
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			clearTypeMeta(read)
			equal(t, r, read, back)
		}
	})
}

// equal reads raw as theirs and compares.
func equal(t *testing.T, r root, want wire, raw []byte) {
	t.Helper()
	got := r.their(t)
	if err := got.Unmarshal(raw); err != nil {
		t.Fatal(err)
	}
	clearTypeMeta(want)
	if !equality.Semantic.DeepEqual(want, got) {
		t.Fatalf("-theirs +ours\n%s", cmp.Diff(tree(t, mustJSON(t, want)), tree(t, mustJSON(t, got))))
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tree(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return v
}

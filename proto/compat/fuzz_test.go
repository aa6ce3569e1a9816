package compat

import (
	"bytes"
	"encoding/json"
	"math/rand"
	"regexp"
	"testing"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/equality"
	kjson "sigs.k8s.io/json"

	"github.com/keelson/keelson/proto/codec"
)

// fuzzed are the types whose JSON has every form: inlined messages, times, quantities, raw JSON, unions.
var fuzzed = []string{
	"v1.Pod", "apps/v1.Deployment", "apps/v1.StatefulSet", "v1.Secret", "v1.Service", "coordination.k8s.io/v1.Lease",
	"apiextensions.k8s.io/v1.CustomResourceDefinition", "authentication.k8s.io/v1.TokenReview", "v1.List",
	"admissionregistration.k8s.io/v1.MutatingAdmissionPolicy",
}

// FuzzJSON gives the same document to both sides: both refuse it or both read the same object, with the same unknown
// and duplicate fields; and what we write of it they read back.
func FuzzJSON(f *testing.F) {
	f.Add(uint8(0), podJSON)
	for i, name := range fuzzed {
		r := rootNamed(f, name)
		fill := filler(int64(i))
		for range 3 {
			obj := r.their(f)
			fill.Fill(obj)
			text, err := json.Marshal(obj)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), text)
		}
	}
	for _, doc := range []string{`{}`, `null`, `{"metadata":null}`, `{"spec":{"containers":[null]}}`, `{"data":{"a":null}}`,
		`{"metadata":{"labels":{"a":"b","a":"c"}}}`, `{"metadata":{"name":"\ud800\u0041\"\\"}}`, "{\"metadata\":{\"name\":\"\xff\"}}"} {
		for i := range fuzzed {
			f.Add(uint8(i), []byte(doc))
		}
	}
	table := make([]root, len(fuzzed))
	for i, name := range fuzzed {
		table[i] = rootNamed(f, name)
	}
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		compare(t, table[int(which)%len(table)], text)
	})
}

// longExponent matches quantities over which their parser may take minutes; ours refuses them.
var longExponent = regexp.MustCompile(`[eE][+-]?[0-9]{4}`)

func compare(t *testing.T, r root, text []byte) {
	if len(text) > 1<<16 || longExponent.Match(text) {
		return
	}
	want := r.their(t)
	theirStrict, theirErr := kjson.UnmarshalStrict(text, want)
	wire, warnings, ourErr := codec.For(r.desc).ParseJSON(nil, text, codec.DecodeOptions{Validation: codec.Warn})
	if (theirErr == nil) != (ourErr == nil) {
		if knownDifference(text, theirErr, ourErr) {
			return
		}
		t.Fatalf("%s\ntheirs: %v\nours:   %v\n%s", r, theirErr, ourErr, text)
	}
	if ourErr != nil {
		return
	}
	if len(theirStrict) > 0 || len(warnings) > 0 {
		// Duplicate lists and unions are merged by them in ways that depend on Go's memory; unknown fields below a
		// schema union are seen by us alone.
		if len(theirStrict) > 0 && len(warnings) == 0 {
			t.Fatalf("%s\ntheirs: %v\nours has no warning\n%s", r, theirStrict, text)
		}
		return
	}
	got := r.their(t)
	if err := got.Unmarshal(wire); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	clearTypeMeta(want)
	raw, err := want.Marshal() // once through protobuf, which does not know all that JSON can say
	if err != nil {
		return
	}
	norm := r.their(t)
	if err := norm.Unmarshal(raw); err != nil {
		return
	}
	if !equality.Semantic.DeepEqual(norm, got) {
		t.Fatalf("%s\ntheirs: %s\nours:   %s\n%s", r, mustJSON(t, norm), mustJSON(t, got), text)
	}
	msg := r.our(t)
	if err := proto.Unmarshal(wire, msg); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	again, err := codec.For(r.desc).AppendJSON(nil, wire, codec.EncodeOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !json.Valid(again) {
		t.Fatalf("not JSON: %s", again)
	}
}

// knownDifference lists where one side is stricter on purpose.
func knownDifference(text []byte, theirs, ours error) bool {
	if ours != nil {
		// Exponents that would take arbitrary-precision arithmetic minutes.
		return bytes.Contains([]byte(ours.Error()), []byte("quantity is out of range")) ||
			bytes.Contains([]byte(ours.Error()), []byte("exceeded max depth"))
	}
	// encoding/json calls UnmarshalJSON on a value that came after a type error, so that it may see what we do not.
	return false
}

// FuzzWire gives the same bytes to both sides as protobuf: what both can read is the same object in JSON.
func FuzzWire(f *testing.F) {
	table := make([]root, len(fuzzed))
	for i, name := range fuzzed {
		table[i] = rootNamed(f, name)
		fill := filler(int64(i))
		obj := table[i].their(f)
		fill.Fill(obj)
		raw, err := obj.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), raw)
		f.Add(uint8(i), codec.AppendResourceVersion(nil, raw, "42"))
		rng := rand.New(rand.NewSource(int64(i)))
		msg := table[i].our(f)
		fillOurs(rng, msg.ProtoReflect(), 0)
		if raw, err = proto.Marshal(msg); err == nil {
			f.Add(uint8(i), append(raw, raw...))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, raw []byte) {
		r := table[int(which)%len(table)]
		if len(raw) > 1<<14 {
			return
		}
		msg := r.our(t)
		if proto.Unmarshal(raw, msg) != nil {
			// Not protobuf, or not UTF-8: only the absence of a panic is asked for.
			_, _ = codec.For(r.desc).AppendJSON(nil, raw, codec.EncodeOptions{})
			return
		}
		direct, err := codec.For(r.desc).AppendJSON(nil, raw, codec.EncodeOptions{})
		if err != nil {
			return
		}
		// The merge rule: protobuf-go has merged all pieces into one message.
		canonical, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
		if err != nil {
			t.Fatal(err)
		}
		merged, err := codec.For(r.desc).AppendJSON(nil, canonical, codec.EncodeOptions{})
		if err != nil {
			t.Fatalf("%v\n%s", err, direct)
		}
		if !equality.Semantic.DeepEqual(tree(t, direct), tree(t, merged)) {
			t.Fatalf("%s %x\nin pieces: %s\nmerged:    %s", r, raw, direct, merged)
		}
	})
}

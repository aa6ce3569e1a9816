package codec_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	authenticationv1 "github.com/keelson/keelson/proto/gen/keelson/authentication/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

var fuzzed = []proto.Message{&corev1.Pod{}, &appsv1.StatefulSet{}, &corev1.Secret{}, &authenticationv1.TokenReview{}, &apiextensionsv1.CustomResourceDefinition{}}

// FuzzParseJSON: any document is refused or becomes protobuf that every reader of it takes, and that is the same after
// another round.
func FuzzParseJSON(f *testing.F) {
	f.Add(uint8(0), podJSON)
	for i, doc := range []string{
		`{"spec":{"volumeClaimTemplates":[{"kind":"PersistentVolumeClaim","metadata":{"name":"a"}}],"updateStrategy":{"rollingUpdate":{"maxUnavailable":"30%"}}}}`,
		`{"data":{"a":"aGk=","b":[1]},"stringData":{"x":"\u00e9"},"immutable":true}`,
		`{"status":{"user":{"extra":{"a":["b",null],"c":null}}}}`,
		`{"spec":{"versions":[{"schema":{"openAPIV3Schema":{"properties":{"a":{"items":[{"type":"x"}],"additionalProperties":true,"default":{"a":1}}}}}}]}}`,
	} {
		f.Add(uint8(i+1), []byte(doc))
	}
	f.Fuzz(func(t *testing.T, which uint8, doc []byte) {
		obj := fuzzed[int(which)%len(fuzzed)]
		ty := typeOf(obj)
		wire, _, err := ty.ParseJSON(nil, doc, codec.DecodeOptions{Validation: codec.Warn})
		if err != nil {
			return
		}
		msg := obj.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(wire, msg); err != nil {
			t.Fatalf("%v\n%q", err, doc)
		}
		if _, err := codec.ScanMeta(wire); err != nil {
			t.Fatalf("%v\n%q", err, doc)
		}
		text, err := ty.AppendJSON(nil, wire, codec.EncodeOptions{})
		if err != nil {
			t.Fatalf("%v\n%q", err, doc)
		}
		again, _, err := ty.ParseJSON(nil, text, codec.DecodeOptions{Validation: codec.Strict})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		text2, err := ty.AppendJSON(nil, again, codec.EncodeOptions{})
		if err != nil || diffJSON(t, text, text2) != "" {
			t.Fatalf("%v\n%s\n%s", err, text, text2)
		}
	})
}

// FuzzAppendJSON: any bytes are refused or become valid JSON, and the helpers on metadata agree with it.
func FuzzAppendJSON(f *testing.F) {
	for i, obj := range fuzzed {
		wire, _, err := typeOf(obj).ParseJSON(nil, []byte(`{"metadata":{"name":"a","labels":{"x":"y"}}}`), codec.DecodeOptions{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), codec.AppendResourceVersion(nil, wire, "7"))
	}
	wire, _, err := podType.ParseJSON(nil, podJSON, codec.DecodeOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(0), wire)
	f.Fuzz(func(t *testing.T, which uint8, wire []byte) {
		ty := typeOf(fuzzed[int(which)%len(fuzzed)])
		text, err := ty.AppendJSON(nil, wire, codec.EncodeOptions{MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		if _, _, err := ty.ParseJSON(nil, text, codec.DecodeOptions{Validation: codec.Strict}); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if meta, err := codec.ScanMeta(codec.AppendResourceVersion(nil, wire, "8")); err == nil && meta.ResourceVersion != "8" {
			t.Fatalf("resource version is %q", meta.ResourceVersion)
		}
		if object, fragment, err := codec.DetachManagedFields(wire); err == nil {
			joined, err := ty.AppendJSON(nil, append(object, fragment...), codec.EncodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if json.Unmarshal(text, &a) == nil && json.Unmarshal(joined, &b) == nil && !cmp.Equal(a, b) {
				t.Fatalf("%s\n%s", text, joined)
			}
		}
	})
}

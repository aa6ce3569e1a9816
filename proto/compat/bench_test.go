package compat

import (
	"bytes"
	_ "embed"
	"testing"

	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	kjsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"

	"github.com/keelson/keelson/proto/codec"
	ourcorev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// podJSON is a pod as a running cluster returns it: status, defaults and managed fields included.
//
//go:embed testdata/pod.json
var podJSON []byte

// podWire is the same pod in protobuf.
func podWire(t testing.TB) []byte {
	wire, _, err := codec.For((*ourcorev1.Pod)(nil).ProtoReflect().Descriptor()).ParseJSON(nil, podJSON, codec.DecodeOptions{Validation: codec.Strict})
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// BenchmarkEncode writes a pod as JSON: "apimachinery" from its Go struct, as its serializer does; "codec" from
// protobuf, as the server does; "struct" from our generated struct; "apimachinery-protobuf" and "codec" start and end
// with the same bytes, for Kubernetes' server too keeps protobuf.
func BenchmarkEncode(b *testing.B) {
	wire := podWire(b)
	theirPod := &corev1.Pod{}
	if err := theirPod.Unmarshal(wire); err != nil {
		b.Fatal(err)
	}
	theirPod.APIVersion, theirPod.Kind = "v1", "Pod"
	ourPod := &ourcorev1.Pod{}
	if err := proto.Unmarshal(wire, ourPod); err != nil {
		b.Fatal(err)
	}
	serializer := kjsonserializer.NewSerializerWithOptions(kjsonserializer.DefaultMetaFactory, theirs, theirs, kjsonserializer.SerializerOptions{})
	run := func(name string, fn func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(podJSON)))
			b.ReportAllocs()
			for b.Loop() {
				if err := fn(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	var buf bytes.Buffer
	run("apimachinery", func() error { buf.Reset(); return serializer.Encode(theirPod, &buf) })
	run("apimachinery-protobuf", func() error {
		pod := &corev1.Pod{}
		if err := pod.Unmarshal(wire); err != nil {
			return err
		}
		buf.Reset()
		return serializer.Encode(pod, &buf)
	})
	ty := codec.For(ourPod.ProtoReflect().Descriptor())
	var out []byte
	run("codec", func() (err error) {
		out, err = ty.AppendJSON(out[:0], wire, codec.EncodeOptions{APIVersion: "v1", Kind: "Pod"})
		return err
	})
	run("struct", func() error { _, err := codec.Marshal(ourPod); return err })
}

// BenchmarkDecode reads the same pod: "apimachinery" into its Go struct, strictly and not; "codec" to protobuf;
// "struct" into our generated struct.
func BenchmarkDecode(b *testing.B) {
	run := func(name string, fn func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(podJSON)))
			b.ReportAllocs()
			for b.Loop() {
				if err := fn(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	lenient := kjsonserializer.NewSerializerWithOptions(kjsonserializer.DefaultMetaFactory, theirs, theirs, kjsonserializer.SerializerOptions{})
	strict := kjsonserializer.NewSerializerWithOptions(kjsonserializer.DefaultMetaFactory, theirs, theirs, kjsonserializer.SerializerOptions{Strict: true})
	run("apimachinery", func() error { _, _, err := lenient.Decode(podJSON, nil, &corev1.Pod{}); return err })
	run("apimachinery-strict", func() error { _, _, err := strict.Decode(podJSON, nil, &corev1.Pod{}); return err })
	run("apimachinery-protobuf", func() error {
		obj, _, err := lenient.Decode(podJSON, nil, &corev1.Pod{})
		if err != nil {
			return err
		}
		_, err = obj.(*corev1.Pod).Marshal()
		return err
	})
	ty := codec.For((*ourcorev1.Pod)(nil).ProtoReflect().Descriptor())
	var out []byte
	var err error
	run("codec", func() error { out, _, err = ty.ParseJSON(out[:0], podJSON, codec.DecodeOptions{}); return err })
	run("codec-strict", func() error {
		out, _, err = ty.ParseJSON(out[:0], podJSON, codec.DecodeOptions{Validation: codec.Strict})
		return err
	})
	run("struct", func() error {
		_, err := codec.Unmarshal(podJSON, &ourcorev1.Pod{}, codec.DecodeOptions{Validation: codec.Strict})
		return err
	})
}

// TestPodSample keeps the benchmarks honest: both sides read the sample alike.
func TestPodSample(t *testing.T) {
	read := &corev1.Pod{}
	if _, _, err := kjsonserializer.NewSerializerWithOptions(kjsonserializer.DefaultMetaFactory, theirs, theirs, kjsonserializer.SerializerOptions{Strict: true}).Decode(podJSON, nil, read); err != nil {
		t.Fatal(err)
	}
	clearTypeMeta(read)
	for _, r := range roots(t) {
		if r.String() == "v1.Pod" {
			equal(t, r, read, podWire(t))
		}
	}
}

package codec_test

import (
	"os"
	"testing"

	"github.com/keelson/keelson/proto/codec"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// BenchmarkAppendJSON writes a pod as a running cluster has it: for the first time, and again.
func BenchmarkAppendJSON(b *testing.B) {
	json, err := os.ReadFile("../compat/testdata/pod.json")
	if err != nil {
		b.Fatal(err)
	}
	ty := codec.For((*corev1.Pod)(nil).ProtoReflect().Descriptor())
	wire, _, err := ty.ParseJSON(nil, json, codec.DecodeOptions{})
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, o codec.EncodeOptions) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(json)))
			out := make([]byte, 0, 2*len(json))
			for b.Loop() {
				if out, err = ty.AppendJSON(out[:0], wire, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("unchecked", codec.EncodeOptions{APIVersion: "v1", Kind: "Pod"})
	run("checked", codec.EncodeOptions{APIVersion: "v1", Kind: "Pod", Checked: true})
}

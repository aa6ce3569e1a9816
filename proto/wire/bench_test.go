package wire_test

import (
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/wire"
)

// pod is one as a running cluster has it.
func pod(b *testing.B) ([]byte, *corev1.Pod) {
	json, err := os.ReadFile("../compat/testdata/pod.json")
	if err != nil {
		b.Fatal(err)
	}
	m := &corev1.Pod{}
	if _, err := codec.Unmarshal(json, m, codec.DecodeOptions{}); err != nil {
		b.Fatal(err)
	}
	raw, err := wire.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	return raw, m
}

func BenchmarkUnmarshal(b *testing.B) {
	raw, _ := pod(b)
	for name, f := range map[string]func([]byte, proto.Message) error{"wire": wire.Unmarshal, "wire_immutable": wire.UnmarshalImmutable, "standard": proto.Unmarshal} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(raw, &corev1.Pod{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMarshal(b *testing.B) {
	_, m := pod(b)
	for name, f := range map[string]func(proto.Message) ([]byte, error){"wire": wire.Marshal, "standard": proto.MarshalOptions{Deterministic: true}.Marshal} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

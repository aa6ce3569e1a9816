package schema_test

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/randmsg"
)

// Whatever an object holds, the engine neither panics nor changes its mind: defaults are idempotent, and an object equals
// its copy.
func TestEngineOnAnything(t *testing.T) {
	for _, k := range schema.Builtin().Kinds() {
		for seed := range uint64(6) {
			obj := k.New()
			if seed > 0 {
				randmsg.Fill(rand.New(rand.NewPCG(seed, 3)), obj.ProtoReflect(), float64(seed)/12, 6)
			}
			k.Validate(obj, nil)
			k.Default(obj)
			again := proto.Clone(obj)
			k.Default(again)
			if !proto.Equal(obj, again) {
				t.Errorf("%s: defaulting twice is not defaulting once", k.Kind)
			}
			if !schema.Equal(obj, again) {
				t.Errorf("%s: an object is not equal to its copy", k.Kind)
			}
			k.Validate(obj, again)
			k.ValidateStatus(obj, again)
			k.Fields(obj)
			schema.Causes(k.Validate(obj, k.New()))
		}
	}
}

func BenchmarkPod(b *testing.B) {
	k, _ := schema.Builtin().ByResource("", "v1", "pods")
	pod := k.New()
	randmsg.Fill(rand.New(rand.NewPCG(4, 4)), pod.ProtoReflect(), 0.3, 6)
	b.Run("default", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.Default(pod)
		}
	})
	b.Run("validate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.Validate(pod, nil)
		}
	})
}

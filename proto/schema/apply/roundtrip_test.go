package apply

import (
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/randmsg"
)

// Applying a whole object where there is none creates just that object, of any kind; applying it again changes nothing.
func TestApplyOfAnything(t *testing.T) {
	for _, k := range schema.Builtin().Kinds() {
		if k.Ephemeral || k.Kind == "CustomResourceDefinition" {
			continue
		}
		t.Run(k.Kind, func(t *testing.T) {
			applied := 0
			for seed := range uint64(8) {
				obj := k.New()
				randmsg.Fill(rand.New(rand.NewPCG(seed, 11)), obj.ProtoReflect(), 0.3, 6)
				k.Default(obj)
				if m := k.Meta(obj); m != nil {
					m.ManagedFields = nil
				}
				config, err := codec.Marshal(obj)
				if err != nil {
					t.Fatal(err)
				}
				r := Request{Kind: k, Config: nodeOf(t, string(config)), Writer: Writer{Manager: "m", Now: at(0)}}
				res, err := Apply(r)
				if err != nil {
					if !strings.Contains(err.Error(), "duplicate entries") && !strings.Contains(err.Error(), "omits") {
						t.Errorf("seed %d: %v", seed, err)
					}
					continue
				}
				applied++
				got := proto.Clone(res.Object)
				if m := k.Meta(got); m != nil {
					m.ManagedFields = nil
				}
				if !schema.Equal(obj, got) {
					t.Errorf("seed %d: applied\n%v\ngot\n%v", seed, obj, got)
				}
				r.Live, r.Writer.Now = res.Object, at(1)
				again, err := Apply(r)
				if err != nil {
					t.Fatal(err)
				}
				if again.Changed {
					t.Errorf("seed %d: applying again changed the object", seed)
				}
			}
			if applied == 0 {
				t.Log("every object had lists with items that are alike")
			}
		})
	}
}

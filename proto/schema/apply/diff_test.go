package apply

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/proto/codec"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/randmsg"
)

// reference compares two objects with structured-merge-diff, by way of their JSON.
func reference(t *testing.T, k *schema.Kind, old, obj proto.Message) (_ Change, ok bool) {
	t.Helper()
	typ := TypeOf(k.Descriptor)
	var values [2]*typed.TypedValue
	for i, m := range []proto.Message{old, obj} {
		if m == nil {
			m = k.New()
		}
		tree, err := codec.ToTree(m)
		if err != nil {
			t.Fatal(err)
		}
		if values[i], err = typ.FromUnstructured(tree, typed.AllowDuplicates); err != nil {
			return Change{}, false
		}
	}
	c, err := values[0].Compare(values[1])
	if err != nil {
		return Change{}, false // items without keys, of which it knows nothing
	}
	return Change{Set: c.Added.Union(c.Modified).Difference(server), Removed: c.Removed.Difference(server)}, true
}

func TestDiffIsThatOfStructuredMergeDiff(t *testing.T) {
	for _, k := range schema.Builtin().Kinds() {
		if k.Ephemeral || k.Kind == "CustomResourceDefinition" {
			continue
		}
		t.Run(k.Kind, func(t *testing.T) {
			for seed := range uint64(12) {
				r := rand.New(rand.NewPCG(seed, 7))
				a, b := k.New(), k.New()
				randmsg.Fill(r, a.ProtoReflect(), 0.5, 8)
				if seed%3 == 0 {
					randmsg.Fill(r, b.ProtoReflect(), 0.4, 8)
				} else {
					b = proto.Clone(a)
					fields := b.ProtoReflect().Descriptor().Fields()
					fd := fields.Get(r.IntN(fields.Len()))
					if fd.Message() != nil && !fd.IsList() && !fd.IsMap() {
						randmsg.Fill(r, b.ProtoReflect().Mutable(fd).Message(), 0.5, 6)
					}
				}
				check := func(what string, old, obj proto.Message) {
					t.Helper()
					want, ok := reference(t, k, old, obj)
					if !ok {
						return
					}
					var o protoreflect.Message
					if old != nil {
						o = old.ProtoReflect()
					}
					got := Diff(o, obj.ProtoReflect())
					report(t, what+": set", want.Set, got.Set)
					report(t, what+": removed", want.Removed, got.Removed)
					if old == nil {
						raw, err := got.Set.ToJSON()
						if err != nil {
							t.Fatal(err)
						}
						if written := string(appendCreated(nil, obj.ProtoReflect())); written != string(raw) {
							t.Errorf("written:\n%s\nwant:\n%s", written, raw)
						}
					}
				}
				check("create", nil, a)
				check("update", a, b)
				check("same", a, proto.Clone(a))
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func report(t *testing.T, what string, want, got *fieldpath.Set) {
	t.Helper()
	if d := want.Difference(got); !d.Empty() {
		t.Errorf("%s: missing %v", what, d)
	}
	if d := got.Difference(want); !d.Empty() {
		t.Errorf("%s: too much: %v", what, d)
	}
}

package pipeline

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/merge"
	"github.com/keelson/keelson/proto/schema/randmsg"
)

// A patch of the part that it touches gives the object that a patch of the whole gives, and changes nothing of the old.
func TestPatchingAPartIsPatchingTheWhole(t *testing.T) {
	patches := []string{
		`{"metadata":{"annotations":{"a":"b"}}}`, `{"metadata":{"labels":null}}`, `{"metadata":{"labels":{"x":"y"},"finalizers":["a/b"]},"spec":null}`,
		`{"spec":{}}`, `{"data":{"k":"v"}}`, `{"data":null}`, `{"status":{}}`, `{"apiVersion":"v1","metadata":{}}`, `{}`, `{"metadata":null}`, `{"spec":{"replicas":3}}`,
		`{"metadata":{"managedFields":[]}}`, `{"metadata":{"$patch":"replace","name":"a"}}`, `{"$patch":"replace","metadata":{"name":"x"}}`, `{"unknown":1}`,
		`{"immutable":true}`, `{"metadata":{"ownerReferences":[{"uid":"u","name":"n","kind":"K","apiVersion":"v1"}]}}`,
	}
	parts := 0
	for _, k := range schema.Builtin().Kinds() {
		if k.Ephemeral {
			continue
		}
		for seed := range uint64(3) {
			old := k.New()
			randmsg.Fill(rand.New(rand.NewPCG(seed, 11)), old.ProtoReflect(), 0.35, 7)
			k.Default(old)
			meta := metadata(old)
			meta.ManagedFields = []*metav1.ManagedFieldsEntry{{Manager: "m", Operation: "Update", ApiVersion: "v1", FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:a":{}}`)}}}
			before := proto.Clone(old)
			for _, patch := range patches {
				for _, typ := range []resourcev1.PatchType{resourcev1.PatchType_PATCH_TYPE_MERGE, resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE} {
					req := &resourcev1.PatchRequest{Type: typ, Patch: []byte(patch)}
					p := partOf(k, old, req)
					if p == nil {
						continue
					}
					parts++
					whole, err := patched(k, old, old, req)
					part, perr := patched(k, p.touched, old, req)
					if (err == nil) != (perr == nil) {
						t.Fatalf("%s %s: %v, %v", k.Kind, patch, err, perr)
					}
					if err != nil {
						continue
					}
					p.complete(part, old)
					if !schema.Equal(whole, part) {
						t.Fatalf("%s %s (%s):\n%v\n%v", k.Kind, patch, typ, whole, part)
					}
					// What is done to the new object is not done to the old one.
					randmsg.Fill(rand.New(rand.NewPCG(seed, 12)), part.ProtoReflect(), 0.3, 6)
					if !proto.Equal(old, before) {
						t.Fatalf("%s %s: the old object has changed", k.Kind, patch)
					}
				}
			}
		}
	}
	if parts < 500 {
		t.Errorf("only %d patches were of parts", parts)
	}
}

func patched(k *schema.Kind, from, old proto.Message, req *resourcev1.PatchRequest) (proto.Message, error) {
	tree, err := k.ToTree(from)
	if err != nil {
		return nil, err
	}
	if req.GetType() == resourcev1.PatchType_PATCH_TYPE_MERGE {
		tree, err = merge.Merge(tree, req.GetPatch())
	} else {
		tree, err = merge.Strategic(k.Descriptor, tree, req.GetPatch())
	}
	if err != nil {
		return nil, err
	}
	obj := k.New()
	if _, err = k.FromTree(tree, obj, codec.DecodeOptions{}); err != nil {
		return nil, fmt.Errorf("from tree: %w", err)
	}
	metadata(obj)
	return obj, nil
}

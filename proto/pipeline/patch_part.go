package pipeline

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/schema"
)

// part is what a patch touches of an object. To patch means to go through a JSON tree and back; most patches touch an
// annotation or the status, and all else need not go that way.
type part struct {
	// touched has the root fields that the patch names, shared with the object; never its managed fields, which are
	// half of it.
	touched proto.Message
	// rest are the other fields.
	rest []protoreflect.Name
	// managed are the object's managed fields where the patch touches metadata but not them.
	managed []*metav1.ManagedFieldsEntry
}

// partOf tells what a merge or strategic merge patch touches; nil where that cannot be said, or is everything.
func partOf(k *schema.Kind, old proto.Message, req *resourcev1.PatchRequest) *part {
	switch req.GetType() {
	case resourcev1.PatchType_PATCH_TYPE_MERGE, resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE:
	default:
		return nil
	}
	if k.IsCustom() || k.Plural == "" {
		return nil
	}
	v, err := codec.ParseTree(req.GetPatch())
	tree, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil
	}
	p := &part{touched: old.ProtoReflect().New().Interface()}
	fields := old.ProtoReflect().Descriptor().Fields()
	known := 0
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := fd.JSONName()
		patch, named := tree[name]
		switch {
		case !named:
			p.rest = append(p.rest, fd.Name())
			continue
		case name == "metadata":
			m, ok := patch.(map[string]any)
			if _, managed := m["managedFields"]; !ok || managed || directive(m) {
				return nil
			}
			meta := old.(Object).GetMetadata()
			p.managed = meta.GetManagedFields()
			setMetadata(p.touched, withoutManaged(meta))
		default:
			copyField(p.touched, old, fd.Name())
		}
		known++
	}
	for _, name := range []string{"apiVersion", "kind"} {
		if _, ok := tree[name]; ok {
			known++
		}
	}
	if known != len(tree) {
		return nil // unknown fields, directives, or what is inlined
	}
	return p
}

// directive tells whether a strategic merge patch says more about an object than what to merge.
func directive(m map[string]any) bool {
	for k := range m {
		if strings.HasPrefix(k, "$") {
			return true
		}
	}
	return false
}

// withoutManaged is metadata without managed fields, whose values it shares.
func withoutManaged(m *metav1.ObjectMeta) *metav1.ObjectMeta {
	out := &metav1.ObjectMeta{}
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Name() != "managedFields" {
			out.ProtoReflect().Set(fd, v)
		}
		return true
	})
	return out
}

// complete adds to the patched part what the patch has not touched.
func (p *part) complete(obj, old proto.Message) {
	if p == nil {
		return
	}
	others := old.ProtoReflect().New().Interface()
	for _, name := range p.rest {
		copyField(others, old, name)
	}
	others = clone(others) // what follows changes the new object
	for _, name := range p.rest {
		copyField(obj, others, name)
	}
	if p.managed != nil {
		metadata(obj).ManagedFields = slices.Clone(p.managed)
	}
}

package openapi

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

var (
	metaType     = (*metav1.ObjectMeta)(nil).ProtoReflect().Descriptor()
	listMetaType = (*metav1.ListMeta)(nil).ProtoReflect().Descriptor()
)

// body refers to what an operation takes or returns; of a custom kind's list there is no message.
func (b *builder) body(o operation, md protoreflect.MessageDescriptor) object {
	switch {
	case !o.kind.IsCustom():
	case md == nil:
		return b.customList(o.kind)
	case md == o.kind.Descriptor:
		return b.custom(o.kind)
	}
	return b.ref(md)
}

// customName is the name of a custom kind's schema: its group backwards, version and kind.
func customName(k *schema.Kind) string {
	parts := strings.Split(k.Group, ".")
	slices.Reverse(parts)
	return strings.Join(parts, ".") + "." + k.Version + "." + k.Kind
}

func (b *builder) named(name string) object {
	if b.v3 {
		return object{"$ref": "#/components/schemas/" + name}
	}
	return object{"$ref": "#/definitions/" + name}
}

// custom writes the schema of a custom kind and refers to it.
func (b *builder) custom(k *schema.Kind) object {
	name := customName(k)
	if _, ok := b.schemas[name]; ok {
		return b.named(name)
	}
	out := k.Custom.OpenAPI(b.v3)
	open, _ := out["x-kubernetes-preserve-unknown-fields"].(bool)
	silent := open && !b.v3 // clients of version 2 take what is named for all there is
	if silent {
		out = object{}
	}
	b.schemas[name] = out
	out["type"] = "object"
	out["x-kubernetes-group-version-kind"] = []any{object{"group": k.Group, "version": k.Version, "kind": k.Kind}}
	if silent {
		return b.named(name)
	}
	properties, _ := out["properties"].(object)
	if properties == nil {
		properties = object{}
		out["properties"] = properties
	}
	properties["apiVersion"] = object{"type": "string", "description": "APIVersion defines the group and version of the object's kind, as in \"apps/v1\"."}
	properties["kind"] = object{"type": "string", "description": "The type of the object, in CamelCase, as in \"Pod\"."}
	properties["metadata"] = b.embed(metaType, "Standard object's metadata.")
	return b.named(name)
}

// embed refers to a message where a description stands beside.
func (b *builder) embed(md protoreflect.MessageDescriptor, description string) object {
	if !b.v3 {
		ref := b.ref(md)
		ref["description"] = description
		return ref
	}
	return object{"allOf": []any{b.ref(md)}, "description": description}
}

func (b *builder) customList(k *schema.Kind) object {
	name := customName(k) + "List"
	if _, ok := b.schemas[name]; !ok {
		b.schemas[name] = object{
			"type": "object", "description": k.ListKind + " is a list of objects of the kind " + k.Kind + ".", "required": []string{"items"},
			"x-kubernetes-group-version-kind": []any{object{"group": k.Group, "version": k.Version, "kind": k.ListKind}},
			"properties": object{
				"apiVersion": object{"type": "string", "description": "The group and version of the list's kind."},
				"kind":       object{"type": "string", "description": "The type of the list, in CamelCase."},
				"metadata":   b.embed(listMetaType, "Standard metadata of a list."),
				"items":      object{"type": "array", "description": "The objects.", "items": b.custom(k)},
			},
		}
	}
	return b.named(name)
}

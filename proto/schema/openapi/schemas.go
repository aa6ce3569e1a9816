package openapi

import (
	"encoding/json"

	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/openapi/comments"
	"github.com/keelson/keelson/proto/schema/shape"
)

type object = map[string]any

// builder collects the schemas of messages and of those inside.
type builder struct {
	registry *schema.Registry
	// v3 writes version 3: references that have siblings, oneOf.
	v3      bool
	schemas object
	// lists tells which kinds the list messages are of.
	lists map[protoreflect.FullName]*schema.Kind
}

func newBuilder(r *schema.Registry, v3 bool) *builder {
	b := &builder{registry: r, v3: v3, schemas: object{}, lists: map[protoreflect.FullName]*schema.Kind{}}
	for _, k := range r.Kinds() {
		if k.ListDescriptor != nil {
			b.lists[k.ListDescriptor.FullName()] = k
		}
	}
	return b
}

func (b *builder) ref(md protoreflect.MessageDescriptor) object {
	b.add(md)
	if b.v3 {
		return object{"$ref": "#/components/schemas/" + Name(md)}
	}
	return object{"$ref": "#/definitions/" + Name(md)}
}

func (b *builder) add(md protoreflect.MessageDescriptor) {
	name := Name(md)
	if _, ok := b.schemas[name]; ok {
		return
	}
	out := object{}
	b.schemas[name] = out // before the fields: messages may be recursive
	if text := comments.Of(md.FullName()); text != "" {
		out["description"] = text
	}
	if b.form(out, shape.FormOf(md)) {
		if md.Name() == "JSON" {
			delete(out, "type") // any value, not only an object
		}
		return
	}
	b.properties(out, shape.Of(md))
}

// form writes the schema of a message that is no plain object.
func (b *builder) form(out object, form optionsv1.JSONForm) bool {
	switch form {
	case optionsv1.JSONForm_JSON_FORM_UNSPECIFIED:
		return false
	case optionsv1.JSONForm_JSON_FORM_TIME, optionsv1.JSONForm_JSON_FORM_MICRO_TIME:
		out["type"], out["format"] = "string", "date-time"
	case optionsv1.JSONForm_JSON_FORM_DURATION:
		out["type"] = "string"
	case optionsv1.JSONForm_JSON_FORM_QUANTITY:
		if b.v3 {
			out["oneOf"] = []any{object{"type": "string"}, object{"type": "number"}}
		} else {
			out["type"] = "string"
		}
	case optionsv1.JSONForm_JSON_FORM_INT_OR_STRING:
		out["format"] = "int-or-string"
		if b.v3 {
			out["oneOf"] = []any{object{"type": "integer"}, object{"type": "string"}}
		} else {
			out["type"] = "string"
		}
	case optionsv1.JSONForm_JSON_FORM_RAW:
		out["type"] = "object"
	case optionsv1.JSONForm_JSON_FORM_LIST:
		out["type"], out["items"] = "array", object{}
	}
	return true
}

func (b *builder) properties(out object, m *shape.Message) {
	properties := object{}
	var required []string
	kinds := b.kindsOf(m.Desc)
	if len(kinds) > 0 {
		out["x-kubernetes-group-version-kind"] = kinds
		properties["apiVersion"] = object{"type": "string", "description": "APIVersion defines the versioned schema of this " +
			"representation of an object: group and version, as in \"apps/v1\"."}
		properties["kind"] = object{"type": "string", "description": "Kind is the type of the object, in CamelCase, as in \"Pod\"."}
	}
	for _, f := range m.Fields {
		properties[f.Name] = b.field(f)
		if f.Options.GetSchemaRequired() {
			required = append(required, f.Name)
		}
	}
	out["type"] = "object"
	if len(properties) > 0 {
		out["properties"] = properties
	}
	if len(required) > 0 {
		out["required"] = required
	}
	if m.Atomic {
		out["x-kubernetes-map-type"] = "atomic"
	}
}

// kindsOf returns the kinds, mostly one, that manifests of a message may say.
func (b *builder) kindsOf(md protoreflect.MessageDescriptor) []any {
	gvk := func(group, version, kind string) any {
		return object{"group": group, "version": version, "kind": kind}
	}
	if k, ok := b.registry.ByMessage(md.FullName()); ok {
		return []any{gvk(k.Group, k.Version, k.Kind)}
	}
	if k, ok := b.lists[md.FullName()]; ok {
		return []any{gvk(k.Group, k.Version, k.ListKind)}
	}
	switch md.FullName() {
	case "keelson.meta.v1.Status":
		return []any{gvk("", "v1", "Status")}
	case "keelson.meta.v1.DeleteOptions", "keelson.meta.v1.WatchEvent":
		// They may come in any group version.
		seen, out := map[string]bool{}, []any{}
		for _, k := range b.registry.Kinds() {
			if id := k.Group + "/" + k.Version; k.Served && !seen[id] {
				seen[id] = true
				out = append(out, gvk(k.Group, k.Version, string(md.Name())))
			}
		}
		return out
	}
	return nil
}

func (b *builder) field(f *shape.Field) object {
	out := object{}
	o := f.Options
	switch {
	case f.Desc.IsMap():
		out["type"], out["additionalProperties"] = "object", b.element(f)
		if o.GetMapType() == "atomic" {
			out["x-kubernetes-map-type"] = "atomic"
		}
	case f.Desc.IsList():
		out["type"], out["items"] = "array", b.element(f)
		if t := o.GetListType(); t != "" {
			out["x-kubernetes-list-type"] = t
		}
		if keys := o.GetListMapKeys(); len(keys) > 0 {
			out["x-kubernetes-list-map-keys"] = keys
		}
	case f.Elem != nil:
		out = b.reference(f, o)
	default:
		out = b.scalar(f.Desc)
		if e := o.GetEnum(); len(e) > 0 && b.v3 {
			out["enum"] = e
		}
	}
	if d := o.GetDefault(); d != "" {
		var v any
		if json.Unmarshal([]byte(d), &v) == nil && f.Elem == nil {
			out["default"] = v
		}
	}
	if text := comments.Of(f.Desc.FullName()); text != "" {
		out["description"] = text
	}
	if s := o.GetPatchStrategy(); s != "" {
		out["x-kubernetes-patch-strategy"] = s
	}
	if key := o.GetPatchMergeKey(); key != "" {
		out["x-kubernetes-patch-merge-key"] = key
	}
	return out
}

// reference writes a field that is a message. Version 3 allows nothing beside a reference, so it stands in an allOf.
func (b *builder) reference(f *shape.Field, o *optionsv1.Field) object {
	ref := b.ref(f.Elem.Desc)
	if o.GetMapType() == "atomic" {
		ref["x-kubernetes-map-type"] = "atomic"
	}
	if !b.v3 {
		return ref
	}
	out := object{"allOf": []any{ref}}
	if f.Embedded() {
		out["default"] = object{}
	}
	return out
}

func (b *builder) element(f *shape.Field) object {
	if f.Elem == nil {
		fd := f.Desc
		if fd.IsMap() {
			fd = fd.MapValue()
		}
		return b.scalar(fd)
	}
	ref := b.ref(f.Elem.Desc)
	if !b.v3 {
		return ref
	}
	return object{"allOf": []any{ref}, "default": object{}}
}

func (b *builder) scalar(fd protoreflect.FieldDescriptor) object {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return object{"type": "boolean"}
	case protoreflect.Int32Kind:
		return object{"type": "integer", "format": "int32"}
	case protoreflect.Int64Kind:
		return object{"type": "integer", "format": "int64"}
	case protoreflect.DoubleKind:
		return object{"type": "number", "format": "double"}
	case protoreflect.BytesKind:
		return object{"type": "string", "format": "byte"}
	}
	return object{"type": "string"}
}

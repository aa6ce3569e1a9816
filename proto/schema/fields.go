package schema

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/shape"
)

// selectable is a compiled path that field selectors may name.
type selectable struct {
	path  string
	steps []protoreflect.FieldDescriptor
}

// Fields returns the values of an object that field selectors may ask for, by path. metadata.name and, for namespaced
// kinds, metadata.namespace are always among them.
func (k *Kind) Fields(obj proto.Message) map[string]string {
	if custom, ok := obj.(*metav1.CustomObject); ok && k.Custom != nil {
		return k.customFields(custom)
	}
	out := make(map[string]string, len(k.fields)+1)
	for _, f := range k.fields {
		out[f.path] = f.value(obj.ProtoReflect())
	}
	if k.hooks.Fields != nil {
		k.hooks.Fields(obj, func(path, value string) { out[path] = value })
	}
	return out
}

// Selectable tells whether a field selector on the kind may name a path.
func (k *Kind) Selectable(path string) bool {
	if path == "metadata.name" || path == "metadata.namespace" && k.Namespaced {
		return true
	}
	for _, p := range k.SelectableFields {
		if p == path {
			return true
		}
	}
	return false
}

func compileSelectable(k *Kind) []selectable {
	paths := []string{"metadata.name"}
	if k.Namespaced {
		paths = append(paths, "metadata.namespace")
	}
	paths = append(paths, k.SelectableFields...)
	var out []selectable
	for _, p := range paths {
		if steps, ok := resolve(k.Descriptor, strings.Split(p, ".")); ok {
			out = append(out, selectable{p, steps})
		}
		// A path without a field is computed by the kind's hook.
	}
	return out
}

// resolve turns JSON names into descriptors, through inlined sub-messages.
func resolve(md protoreflect.MessageDescriptor, names []string) ([]protoreflect.FieldDescriptor, bool) {
	var steps []protoreflect.FieldDescriptor
	m := shape.Of(md)
	for _, name := range names {
		if m == nil {
			return nil, false
		}
		f, ok := m.Field(name)
		if !ok || f.Desc.Cardinality() == protoreflect.Repeated {
			return nil, false
		}
		steps = append(append(steps, f.Inline...), f.Desc)
		m = f.Elem
	}
	return steps, len(steps) > 0
}

func (f *selectable) value(m protoreflect.Message) string {
	last := len(f.steps) - 1
	for _, fd := range f.steps[:last] {
		if !m.Has(fd) {
			m = m.Get(fd).Message() // empty: scalars below have their zero
			continue
		}
		m = m.Get(fd).Message()
	}
	fd := f.steps[last]
	v := m.Get(fd)
	switch fd.Kind() {
	case protoreflect.StringKind:
		return v.String()
	case protoreflect.BoolKind:
		return strconv.FormatBool(v.Bool())
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return strconv.FormatInt(v.Int(), 10)
	}
	return ""
}

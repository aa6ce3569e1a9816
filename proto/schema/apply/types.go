package apply

import (
	"encoding/json"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	kinds "github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/shape"
)

var (
	typesMu sync.Mutex
	types   = map[protoreflect.FullName]typed.ParseableType{}
)

// typeOf returns the type of a kind.
func typeOf(k *kinds.Kind) typed.ParseableType {
	if k.IsCustom() {
		return k.Custom.ApplyType()
	}
	return TypeOf(k.Descriptor)
}

// TypeOf returns the structured-merge-diff type of a root message; made once.
func TypeOf(md protoreflect.MessageDescriptor) typed.ParseableType {
	typesMu.Lock()
	defer typesMu.Unlock()
	if t, ok := types[md.FullName()]; ok {
		return t
	}
	b := typeBuilder{seen: map[protoreflect.FullName]bool{}}
	b.message(shape.Of(md), true)
	b.out.Types = append(b.out.Types, anything)
	name := string(md.FullName())
	t := typed.ParseableType{Schema: &b.out, TypeRef: schema.TypeRef{NamedType: &name}}
	types[md.FullName()] = t
	return t
}

const anyName = "any"

// anything is raw JSON: owned as a whole.
var anything = schema.TypeDef{Name: anyName, Atom: schema.Atom{
	Scalar: scalarType(schema.Untyped),
	List:   &schema.List{ElementType: named(anyName), ElementRelationship: schema.Atomic},
	Map:    &schema.Map{ElementType: named(anyName), ElementRelationship: schema.Atomic},
}}

func scalarType(s schema.Scalar) *schema.Scalar { return &s }

func named(name string) schema.TypeRef { return schema.TypeRef{NamedType: &name} }

func inline(s schema.Scalar) schema.TypeRef {
	return schema.TypeRef{Inlined: schema.Atom{Scalar: scalarType(s)}}
}

type typeBuilder struct {
	out  schema.Schema
	seen map[protoreflect.FullName]bool
}

// message defines the type of a message and those inside.
func (b *typeBuilder) message(m *shape.Message, root bool) {
	name := m.Desc.FullName()
	if b.seen[name] {
		return
	}
	b.seen[name] = true
	t := &schema.Map{}
	if m.Atomic {
		t.ElementRelationship = schema.Atomic
	}
	if root {
		t.Fields = append(t.Fields, schema.StructField{Name: "apiVersion", Type: inline(schema.String)},
			schema.StructField{Name: "kind", Type: inline(schema.String)})
	}
	for _, f := range m.Fields {
		t.Fields = append(t.Fields, schema.StructField{Name: f.Name, Type: b.field(f), Default: defaultOf(f)})
	}
	b.out.Types = append(b.out.Types, schema.TypeDef{Name: string(name), Atom: schema.Atom{Map: t}})
}

// defaultOf completes the keys of associative lists: a port without protocol is a TCP port.
func defaultOf(f *shape.Field) any {
	var v any
	if text := f.Options.GetDefault(); text == "" || f.Elem != nil || json.Unmarshal([]byte(text), &v) != nil {
		return nil
	}
	if n, ok := v.(float64); ok {
		return int64(n)
	}
	return v
}

func (b *typeBuilder) field(f *shape.Field) schema.TypeRef {
	switch {
	case f.Desc.IsMap():
		t := &schema.Map{ElementType: b.element(f)}
		if f.Options.GetMapType() == "atomic" {
			t.ElementRelationship = schema.Atomic
		}
		return schema.TypeRef{Inlined: schema.Atom{Map: t}}
	case f.Desc.IsList():
		t := &schema.List{ElementType: b.element(f), ElementRelationship: schema.Atomic}
		switch f.Options.GetListType() {
		case "set":
			t.ElementRelationship = schema.Associative
		case "map":
			t.ElementRelationship, t.Keys = schema.Associative, f.Options.GetListMapKeys()
		}
		return schema.TypeRef{Inlined: schema.Atom{List: t}}
	}
	ref := b.element(f)
	if f.Options.GetMapType() == "atomic" && ref.NamedType != nil {
		atomic := schema.Atomic
		ref.ElementRelationship = &atomic
	}
	return ref
}

// element is the type of a single value, an item of a list or a value of a map.
func (b *typeBuilder) element(f *shape.Field) schema.TypeRef {
	fd := f.Desc
	if fd.IsMap() {
		fd = fd.MapValue()
	}
	if f.Elem == nil {
		switch fd.Kind() {
		case protoreflect.BoolKind:
			return inline(schema.Boolean)
		case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.DoubleKind:
			return inline(schema.Numeric)
		}
		return inline(schema.String)
	}
	switch f.Elem.Form {
	case optionsv1.JSONForm_JSON_FORM_UNSPECIFIED:
		b.message(f.Elem, false)
		return named(string(f.Elem.Desc.FullName()))
	case optionsv1.JSONForm_JSON_FORM_TIME, optionsv1.JSONForm_JSON_FORM_MICRO_TIME, optionsv1.JSONForm_JSON_FORM_DURATION:
		return inline(schema.String)
	case optionsv1.JSONForm_JSON_FORM_QUANTITY, optionsv1.JSONForm_JSON_FORM_INT_OR_STRING:
		return inline(schema.Untyped)
	}
	return named(anyName)
}

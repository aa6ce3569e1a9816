package structural

import (
	"strconv"

	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/apply"
)

// ApplyType returns the type by which server-side apply tells whose field of an object is whose. metadata is that of every
// kind.
func (s *Schema) ApplyType() typed.ParseableType {
	b := applyBuilder{}
	b.out.Types = append(b.out.Types, deducedType)
	meta := apply.TypeOf((*metav1.ObjectMeta)(nil).ProtoReflect().Descriptor())
	b.out.Types = append(b.out.Types, meta.Schema.Types...)
	ref := b.node(s)
	root := ref.Inlined
	if ref.NamedType != nil || root.Map == nil {
		root = smd.Atom{Map: &smd.Map{ElementType: smd.TypeRef{NamedType: name(deduced)}}}
	}
	fields := make([]smd.StructField, 0, len(root.Map.Fields)+3)
	for _, f := range root.Map.Fields {
		if f.Name != "apiVersion" && f.Name != "kind" && f.Name != "metadata" {
			fields = append(fields, f)
		}
	}
	root.Map.Fields = append(fields, smd.StructField{Name: "apiVersion", Type: scalar(smd.String)},
		smd.StructField{Name: "kind", Type: scalar(smd.String)}, smd.StructField{Name: "metadata", Type: meta.TypeRef})
	b.out.Types = append(b.out.Types, smd.TypeDef{Name: "object", Atom: root})
	return typed.ParseableType{Schema: &b.out, TypeRef: smd.TypeRef{NamedType: name("object")}}
}

const deduced = "__untyped_deduced_"

// deducedType is for what the schema says nothing about: objects have fields of their own, lists are one.
var deducedType = func() smd.TypeDef {
	untyped := smd.Untyped
	return smd.TypeDef{Name: deduced, Atom: smd.Atom{
		Scalar: &untyped,
		List:   &smd.List{ElementType: smd.TypeRef{NamedType: name(deduced)}, ElementRelationship: smd.Atomic},
		Map:    &smd.Map{ElementType: smd.TypeRef{NamedType: name(deduced)}, ElementRelationship: smd.Separable},
	}}
}()

func name(s string) *string { return &s }

func scalar(s smd.Scalar) smd.TypeRef { return smd.TypeRef{Inlined: smd.Atom{Scalar: &s}} }

type applyBuilder struct {
	out  smd.Schema
	next int
}

// node returns the type of a schema: inlined where it is the root, else by name where it is an object.
func (b *applyBuilder) node(s *Schema) smd.TypeRef {
	anything := smd.TypeRef{NamedType: name(deduced)}
	switch {
	case s == nil:
		return anything
	case s.IntOrString:
		return scalar(smd.Untyped)
	case s.Type == "array":
		return b.list(s)
	case s.Type == "object":
		return b.object(s)
	case s.Type == "string":
		return scalar(smd.String)
	case s.Type == "integer", s.Type == "number":
		return scalar(smd.Numeric)
	case s.Type == "boolean":
		return scalar(smd.Boolean)
	}
	return anything
}

func (b *applyBuilder) list(s *Schema) smd.TypeRef {
	list := &smd.List{ElementType: b.element(s.Items), ElementRelationship: smd.Atomic}
	switch s.ListType {
	case "set":
		list.ElementRelationship = smd.Associative
	case "map":
		list.ElementRelationship, list.Keys = smd.Associative, s.ListMapKeys
	}
	return smd.TypeRef{Inlined: smd.Atom{List: list}}
}

func (b *applyBuilder) object(s *Schema) smd.TypeRef {
	m := &smd.Map{}
	if s.MapType == "atomic" {
		m.ElementRelationship = smd.Atomic
	}
	for _, n := range s.Names {
		sub := s.Properties[n]
		f := smd.StructField{Name: n, Type: b.element(sub)}
		if sub.HasDefault {
			f.Default = sub.Default
		}
		m.Fields = append(m.Fields, f)
	}
	if s.Embedded {
		m.Fields = b.embedded(s, m.Fields)
	}
	switch {
	case s.Additional != nil:
		m.ElementType = b.element(s.Additional)
	case s.AnyAdditional, s.PreserveUnknown:
		m.ElementType = smd.TypeRef{NamedType: name(deduced)}
	}
	return smd.TypeRef{Inlined: smd.Atom{Map: m}}
}

// embedded completes an object within an object.
func (b *applyBuilder) embedded(s *Schema, fields []smd.StructField) []smd.StructField {
	for _, n := range []string{"apiVersion", "kind", "metadata"} {
		if s.Properties[n] == nil {
			t := scalar(smd.String)
			if n == "metadata" {
				t = smd.TypeRef{NamedType: name(deduced)}
			}
			fields = append(fields, smd.StructField{Name: n, Type: t})
		}
	}
	return fields
}

// element names an object's type, for references are cheaper than copies.
func (b *applyBuilder) element(s *Schema) smd.TypeRef {
	ref := b.node(s)
	if ref.Inlined.Map == nil {
		return ref
	}
	b.next++
	id := "t" + strconv.Itoa(b.next)
	b.out.Types = append(b.out.Types, smd.TypeDef{Name: id, Atom: ref.Inlined})
	return smd.TypeRef{NamedType: &id}
}

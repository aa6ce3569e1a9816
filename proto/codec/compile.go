package codec

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

// compiler makes the types of one call of For. Messages may refer to themselves (JSONSchemaProps), so that types are
// made first and finished when all exist.
type compiler struct {
	made  map[protoreflect.MessageDescriptor]*Type
	order []*Type
}

func (c *compiler) message(md protoreflect.MessageDescriptor) *Type {
	if t, ok := types.Load(md); ok {
		return t.(*Type)
	}
	if t, ok := c.made[md]; ok {
		return t
	}
	t := &Type{
		desc:   md,
		name:   string(md.Name()),
		goName: goName(md),
		form:   proto.GetExtension(md.Options(), optionsv1.E_JsonForm).(optionsv1.JSONForm),
		typed:  typed(md),
		meta:   md.FullName() == "keelson.meta.v1.ObjectMeta",
	}
	c.made[md] = t
	c.order = append(c.order, t)
	fds := md.Fields()
	if fds.Len() > maxFields {
		panic(fmt.Sprintf("codec: %s has more than %d fields", md.FullName(), maxFields))
	}
	for i := range fds.Len() {
		f := c.field(fds.Get(i))
		f.index = i
		if f.op == opRest {
			t.rest = f
		}
		t.fields = append(t.fields, f)
		t.index(f)
	}
	return t
}

// index makes a field known by its number.
func (t *Type) index(f *field) {
	const denseLimit = 512
	if f.num >= denseLimit {
		if t.sparse == nil {
			t.sparse = map[int32]*field{}
		}
		t.sparse[f.num] = f
		return
	}
	for len(t.dense) <= int(f.num) {
		t.dense = append(t.dense, nil)
	}
	t.dense[f.num] = f
}

func (c *compiler) field(fd protoreflect.FieldDescriptor) *field {
	if oneof := fd.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
		panic(fmt.Sprintf("codec: %s is in a oneof, which JSON of this API does not have", fd.FullName()))
	}
	options, _ := proto.GetExtension(fd.Options(), optionsv1.E_Field).(*optionsv1.Field)
	f := &field{
		num:      int32(fd.Number()),
		repeated: fd.IsList(),
		packed:   fd.IsPacked(),
		presence: fd.HasPresence(),
		emit:     options.GetEmit(),
		name:     fd.JSONName(),
		key:      append(appendString([]byte{','}, []byte(fd.JSONName())), ':'),
	}
	wire := protowire.BytesType
	switch {
	case fd.IsMap():
		f.op = opMap
		if fd.MapKey().Kind() != protoreflect.StringKind {
			panic(fmt.Sprintf("codec: %s: map keys must be strings", fd.FullName()))
		}
		f.val = c.field(fd.MapValue())
		f.val.presence = true // an entry's value is always written
		f.plain = f.val.op == opString || f.val.op == opMessage && f.val.sub.form == optionsv1.JSONForm_JSON_FORM_QUANTITY
		f.goType = "map[string]" + f.val.goElem
		f.goElem = f.val.goElem
	case fd.Kind() == protoreflect.MessageKind:
		f.op = opMessage
		f.sub = c.message(fd.Message())
		f.goElem = f.sub.goName
		if options.GetInline() {
			if f.repeated {
				panic(fmt.Sprintf("codec: %s: a list cannot be inlined", fd.FullName()))
			}
			f.op = opInline
		}
	default:
		f.op, wire, f.goElem = scalar(fd)
		if f.op == opBytes && options.GetInline() {
			f.op = opRest
		}
		if f.repeated && f.packed {
			wire = protowire.BytesType
		}
	}
	if f.goType == "" {
		f.goType = f.goElem
		if f.repeated {
			f.goType = "[]" + f.goElem
		}
	}
	f.tagValue = protowire.EncodeTag(protowire.Number(f.num), wire)
	f.tag = protowire.AppendVarint(nil, f.tagValue)
	return f
}

func scalar(fd protoreflect.FieldDescriptor) (op, protowire.Type, string) {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return opBool, protowire.VarintType, "bool"
	case protoreflect.Int32Kind:
		return opInt32, protowire.VarintType, "int32"
	case protoreflect.Int64Kind:
		return opInt64, protowire.VarintType, "int64"
	case protoreflect.Uint32Kind:
		return opUint32, protowire.VarintType, "uint32"
	case protoreflect.Uint64Kind:
		return opUint64, protowire.VarintType, "uint64"
	case protoreflect.FloatKind:
		return opFloat, protowire.Fixed32Type, "float32"
	case protoreflect.DoubleKind:
		return opDouble, protowire.Fixed64Type, "float64"
	case protoreflect.StringKind:
		return opString, protowire.BytesType, "string"
	case protoreflect.BytesKind:
		return opBytes, protowire.BytesType, "[]uint8"
	}
	panic(fmt.Sprintf("codec: %s: kind %s is not used in this API", fd.FullName(), fd.Kind()))
}

// finish computes what needs all types: the JSON names, and the JSON of what is not set.
func (c *compiler) finish() {
	for _, t := range c.order {
		var all []*jsonField
		t.flatten(&all, t, nil)
		t.keys = newKeyTable(all)
	}
	for _, t := range c.order {
		t.emptyJSON()
	}
}

// flatten collects the JSON fields of a message with those of its inlined messages.
func (t *Type) flatten(into *[]*jsonField, owner *Type, inline *inlineNode) {
	for _, f := range t.fields {
		if f.op == opRest {
			continue // it has no name
		}
		if f.op == opInline {
			if inline.depth() == maxInline {
				panic(fmt.Sprintf("codec: %s is inlined more than %d deep", f.sub.desc.FullName(), maxInline))
			}
			f.sub.flatten(into, owner, &inlineNode{field: f, parent: inline})
			continue
		}
		if len(*into) >= maxFields {
			panic(fmt.Sprintf("codec: %s has more than %d fields in JSON", owner.desc.FullName(), maxFields))
		}
		*into = append(*into, &jsonField{field: f, slot: len(*into), owner: owner, inline: inline})
	}
}

// emptyJSON fills t.emits and t.empty, and returns t.empty.
func (t *Type) emptyJSON() []byte {
	if t.empty != nil {
		return t.empty
	}
	switch t.form {
	case optionsv1.JSONForm_JSON_FORM_UNSPECIFIED:
	case optionsv1.JSONForm_JSON_FORM_QUANTITY:
		t.empty = []byte(`"0"`)
	case optionsv1.JSONForm_JSON_FORM_INT_OR_STRING:
		t.empty = []byte(`0`)
	case optionsv1.JSONForm_JSON_FORM_DURATION:
		t.empty = []byte(`"0s"`)
	case optionsv1.JSONForm_JSON_FORM_LIST:
		t.empty = []byte(`[]`)
	case optionsv1.JSONForm_JSON_FORM_SCHEMA_OR_BOOL:
		t.empty = []byte(`false`)
	default:
		t.empty = []byte(`null`)
	}
	if t.empty != nil {
		return t.empty
	}
	t.empty = []byte(`{}`) // what a cycle of zero messages sees: there is none in a type that Go can hold by value
	var all []byte
	for _, f := range t.fields {
		var literal []byte
		switch {
		case f.op == opInline:
			if inner := f.sub.emptyJSON(); f.sub.form == optionsv1.JSONForm_JSON_FORM_UNSPECIFIED && len(inner) > 2 {
				literal = append([]byte{','}, inner[1:len(inner)-1]...)
			}
		case f.emit == optionsv1.Emit_EMIT_NULL:
			literal = append(append(literal, f.key...), "null"...)
		case f.emit == optionsv1.Emit_EMIT_ZERO:
			literal = append(append(literal, f.key...), f.zeroJSON()...)
		}
		if literal != nil {
			t.emits = append(t.emits, emission{index: f.index, literal: literal})
			t.emitted.add(f.index)
			all = append(all, literal...)
		}
	}
	if all != nil {
		all[0] = '{'
		t.empty = append(all, '}')
	}
	return t.empty
}

func (f *field) zeroJSON() []byte {
	switch {
	case f.repeated:
		return []byte(`[]`)
	case f.op == opMap:
		return []byte(`{}`)
	case f.op == opMessage:
		return f.sub.emptyJSON()
	case f.op == opString, f.op == opBytes:
		return []byte(`""`)
	case f.op == opBool:
		return []byte(`false`)
	}
	return []byte(`0`)
}

// goName is the name that Kubernetes' Go type has in error messages.
func goName(md protoreflect.MessageDescriptor) string {
	switch md.FullName() {
	case "keelson.meta.v1.Quantity":
		return "resource.Quantity"
	case "keelson.meta.v1.IntOrString":
		return "intstr.IntOrString"
	case "keelson.meta.v1.RawExtension":
		return "runtime.RawExtension"
	}
	pkg := string(md.ParentFile().Package())
	return pkg[strings.LastIndexByte(pkg, '.')+1:] + "." + string(md.Name())
}

// typed reports whether a message carries apiVersion and kind where it stands inside another: claims in a
// StatefulSet, options in an Eviction, items of a list.
func typed(md protoreflect.MessageDescriptor) bool {
	switch md.FullName() {
	case "keelson.meta.v1.DeleteOptions", "keelson.meta.v1.PartialObjectMetadata":
		return true
	}
	return proto.HasExtension(md.Options(), optionsv1.E_Resource)
}

package wire

import (
	"reflect"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/layout"
)

// plan is a message as its struct keeps it.
type plan struct {
	// fields are in the order of their numbers.
	fields []*field
	// byNumber finds the fields with low numbers, which nearly all are.
	byNumber []*field
	// unknown is the place of what the message's type does not know.
	unknown uintptr
	// goType is the struct's, sliceType that of a slice of structs.
	goType, sliceType reflect.Type
	// foreign messages have something that this package does not know; set where it is known of the message itself.
	foreign bool
}

// form is how many values a field has and how their presence is kept.
type form uint8

const (
	implicit form = iota // set where it is not zero
	optional             // a pointer; bytes are set where they are not nil
	repeated
	dictionary
)

// value is the type of a field's value as the struct keeps it.
type value uint8

const (
	boolean value = iota
	word32
	word64
	text
	binary
	message
)

// coding is how a scalar stands on the wire.
type coding uint8

const (
	varint coding = iota
	// signed 32-bit varints are written in 64 bits
	varintSigned
	zigzag
	fixed
	delimited
)

type field struct {
	number protowire.Number
	// tag is that of a single value, packed that of a packed list.
	tag    uint64
	offset uintptr
	form   form
	value  value
	coding coding
	// packed tells whether a list is written packed; either form is read.
	packed bool
	// elem is the message of the field, of its items or of its map's values.
	elem *plan
	// mapType is set for maps with messages for values.
	mapType reflect.Type
}

func (p *plan) field(n protowire.Number) *field {
	if int(n) < len(p.byNumber) {
		return p.byNumber[n]
	}
	if len(p.byNumber) > 0 && len(p.fields) > 0 && n > p.fields[len(p.fields)-1].number {
		return nil
	}
	i, ok := slices.BinarySearchFunc(p.fields, n, func(f *field, n protowire.Number) int { return int(f.number) - int(n) })
	if !ok {
		return nil
	}
	return p.fields[i]
}

// maxDense is the highest number that is found by index.
const maxDense = 127

var (
	mu    sync.Mutex
	known = map[protoreflect.FullName]*plan{} // guarded by mu
	ready sync.Map                            // reflect.Type of the struct -> *plan, nil where the message is not for this package
)

// planOf returns the plan of a generated message; nil where package proto has to do the work.
func planOf(t reflect.Type, md func() protoreflect.MessageDescriptor) *plan {
	if p, ok := ready.Load(t); ok {
		return p.(*plan)
	}
	mu.Lock()
	defer mu.Unlock()
	p := compile(md())
	if p.reachesForeign(map[*plan]bool{}) {
		p = nil
	}
	ready.Store(t, p)
	return p
}

// reachesForeign tells whether the message or anything in it is foreign.
func (p *plan) reachesForeign(seen map[*plan]bool) bool {
	if seen[p] {
		return false
	}
	seen[p] = true
	return p.foreign || slices.ContainsFunc(p.fields, func(f *field) bool { return f.elem != nil && f.elem.reachesForeign(seen) })
}

func compile(md protoreflect.MessageDescriptor) *plan {
	if p := known[md.FullName()]; p != nil {
		return p
	}
	p := &plan{}
	known[md.FullName()] = p // before the fields: messages may be recursive
	p.foreign = !p.compile(md)
	return p
}

func (p *plan) compile(md protoreflect.MessageDescriptor) bool {
	p.goType = layout.Struct(md)
	if p.goType == nil || md.ExtensionRanges().Len() > 0 || md.RequiredNumbers().Len() > 0 {
		return false
	}
	p.sliceType = reflect.SliceOf(p.goType)
	unknown, ok := p.goType.FieldByName("unknownFields")
	if !ok || unknown.Type.Kind() != reflect.Slice {
		return false
	}
	p.unknown = unknown.Offset
	for _, place := range layout.Places(md, p.goType) {
		f := &field{number: place.Desc.Number(), offset: place.Offset}
		if !f.compile(place) {
			return false
		}
		p.fields = append(p.fields, f)
	}
	if len(p.fields) != md.Fields().Len() { // members of a oneof are not in the struct itself
		return false
	}
	slices.SortFunc(p.fields, func(a, b *field) int { return int(a.number) - int(b.number) })
	for _, f := range p.fields {
		if f.number <= maxDense {
			for len(p.byNumber) <= int(f.number) {
				p.byNumber = append(p.byNumber, nil)
			}
			p.byNumber[f.number] = f
		}
	}
	return true
}

func (f *field) compile(place layout.Place) bool {
	fd := place.Desc
	elem := fd
	switch {
	case fd.IsMap():
		f.form = dictionary
		if fd.MapKey().Kind() != protoreflect.StringKind {
			return false
		}
		elem = fd.MapValue()
		f.mapType = place.Type
		f.tag = protowire.EncodeTag(f.number, protowire.BytesType)
	case fd.IsList():
		f.form, f.packed = repeated, fd.IsPacked()
	case fd.HasPresence():
		f.form = optional
	}
	if !f.scalar(elem) {
		return false
	}
	if f.form != dictionary {
		f.tag = protowire.EncodeTag(f.number, f.wireType())
	}
	if elem.Message() != nil {
		f.elem = compile(elem.Message())
	}
	return true
}

// scalar sets how a value is kept and coded; false where that is not known here.
func (f *field) scalar(fd protoreflect.FieldDescriptor) bool {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		f.value, f.coding = boolean, varint
	case protoreflect.Int32Kind:
		f.value, f.coding = word32, varintSigned
	case protoreflect.EnumKind:
		f.value, f.coding = word32, varintSigned
		return !fd.Enum().IsClosed()
	case protoreflect.Uint32Kind:
		f.value, f.coding = word32, varint
	case protoreflect.Sint32Kind:
		f.value, f.coding = word32, zigzag
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		f.value, f.coding = word32, fixed
	case protoreflect.Int64Kind, protoreflect.Uint64Kind:
		f.value, f.coding = word64, varint
	case protoreflect.Sint64Kind:
		f.value, f.coding = word64, zigzag
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		f.value, f.coding = word64, fixed
	case protoreflect.StringKind:
		// Other strings may hold any bytes; there are none in the API.
		f.value, f.coding = text, delimited
		return fd.Syntax() == protoreflect.Proto3
	case protoreflect.BytesKind:
		f.value, f.coding = binary, delimited
	case protoreflect.MessageKind:
		f.value, f.coding = message, delimited
	default:
		return false
	}
	return true
}

// wireType is that of a value.
func (f *field) wireType() protowire.Type {
	switch {
	case f.coding == delimited:
		return protowire.BytesType
	case f.coding == fixed && f.value == word32:
		return protowire.Fixed32Type
	case f.coding == fixed:
		return protowire.Fixed64Type
	}
	return protowire.VarintType
}

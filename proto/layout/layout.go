// Package layout tells where the structs that protoc-gen-go generates keep their fields, for those who read and write
// messages by pointers and offsets: to ask protoreflect for a field costs ten times as much, and a write asks for some
// thousand.
package layout

import (
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Struct returns the struct type of a message; nil where no generated type is linked.
func Struct(md protoreflect.MessageDescriptor) reflect.Type {
	t, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName())
	if err != nil {
		return nil
	}
	if p := reflect.TypeOf(t.Zero().Interface()); p.Kind() == reflect.Pointer && p.Elem().Kind() == reflect.Struct {
		return p.Elem()
	}
	return nil
}

// Place is where a struct keeps a field, and as what.
type Place struct {
	Desc   protoreflect.FieldDescriptor
	Offset uintptr
	Type   reflect.Type
}

// Places returns the places of a message's fields in its struct, in the struct's order. Members of a oneof have none.
func Places(md protoreflect.MessageDescriptor, t reflect.Type) []Place {
	var out []Place
	for i := range t.NumField() {
		sf := t.Field(i)
		// The tag begins with the wire type and the number.
		_, rest, ok := strings.Cut(sf.Tag.Get("protobuf"), ",")
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, ",")
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		if fd := md.Fields().ByNumber(protoreflect.FieldNumber(n)); fd != nil {
			out = append(out, Place{fd, sf.Offset, sf.Type})
		}
	}
	return out
}

package pipeline

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// clearField unsets a field of the root object, if the kind has it.
func clearField(obj proto.Message, name protoreflect.Name) {
	if custom, ok := obj.(*metav1.CustomObject); ok {
		custom.Body = codec.SetMember(custom.Body, string(name), nil)
		return
	}
	m := obj.ProtoReflect()
	if fd := m.Descriptor().Fields().ByName(name); fd != nil {
		m.Clear(fd)
	}
}

// copyField makes a field of the root object what it is in another object, which then shares it.
func copyField(to, from proto.Message, name protoreflect.Name) {
	if custom, ok := to.(*metav1.CustomObject); ok {
		custom.Body = codec.SetMember(custom.Body, string(name), codec.Member(from.(*metav1.CustomObject).Body, string(name)))
		return
	}
	dst, src := to.ProtoReflect(), from.ProtoReflect()
	fd := dst.Descriptor().Fields().ByName(name)
	if fd == nil {
		return
	}
	if !src.Has(fd) {
		dst.Clear(fd)
		return
	}
	dst.Set(fd, src.Get(fd))
}

// copyAllBut makes everything but metadata and one field what it is in another object.
func copyAllBut(to, from proto.Message, but protoreflect.Name) {
	if custom, ok := to.(*metav1.CustomObject); ok {
		custom.Body = codec.SetMember(from.(*metav1.CustomObject).Body, string(but), codec.Member(custom.Body, string(but)))
		return
	}
	fields := to.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if name := fields.Get(i).Name(); name != "metadata" && name != but {
			copyField(to, from, name)
		}
	}
}

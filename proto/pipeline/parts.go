package pipeline

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/schema"
)

// clearField unsets a field of the root object, if the kind has it.
func clearField(obj proto.Message, name protoreflect.Name) {
	m := obj.ProtoReflect()
	if fd := m.Descriptor().Fields().ByName(name); fd != nil {
		m.Clear(fd)
	}
}

// copyField makes a field of the root object what it is in another object, which then shares it.
func copyField(to, from proto.Message, name protoreflect.Name) {
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
	fields := to.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if name := fields.Get(i).Name(); name != "metadata" && name != but {
			copyField(to, from, name)
		}
	}
}

// sameDesired tells whether two objects differ in metadata and status at most.
func sameDesired(a, b proto.Message) bool { return schema.EqualBut(a, b, "metadata", "status") }

package schema

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/schema/shape"
)

// Equal compares two objects of one kind as Kubernetes sees them: an absent embedded message, such as a container's
// resources, equals an empty one. It tells a write that changes nothing.
func Equal(a, b proto.Message) bool { return shape.Equal(a.ProtoReflect(), b.ProtoReflect()) }

// EqualBut is Equal without the root fields named.
func EqualBut(a, b proto.Message, skip ...string) bool {
	x, y := a.ProtoReflect(), b.ProtoReflect()
	for _, f := range shape.Of(x.Descriptor()).Fields {
		if !slices.Contains(skip, f.Name) && !f.Equal(f.Holder(x), f.Holder(y)) {
			return false
		}
	}
	return true
}

package schema

import (
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/schema/shape"
)

// Equal compares two objects of one kind as Kubernetes sees them: an absent embedded message, such as a container's
// resources, equals an empty one. It tells a write that changes nothing.
func Equal(a, b proto.Message) bool { return shape.Equal(a.ProtoReflect(), b.ProtoReflect()) }

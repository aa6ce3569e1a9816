package item

import (
	"google.golang.org/protobuf/proto"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/wire"
)

// Object is a root object of any kind.
type Object interface {
	proto.Message
	GetMetadata() *metav1.ObjectMeta
}

// Encode returns the bytes of an object as they are stored: without resource version, with the managed fields at the
// end, always the same bytes for the same object.
func Encode(obj Object) ([]byte, error) {
	meta := obj.GetMetadata()
	managed, rv := meta.GetManagedFields(), meta.GetResourceVersion()
	if meta != nil {
		meta.ManagedFields, meta.ResourceVersion = nil, ""
		defer func() { meta.ManagedFields, meta.ResourceVersion = managed, rv }()
	}
	if len(managed) == 0 {
		return wire.Marshal(obj)
	}
	return wire.MarshalParts(wire.Part{Message: obj}, wire.Part{Message: &metav1.ObjectMeta{ManagedFields: managed}, Field: fieldMetadata})
}

package respond

import (
	"google.golang.org/protobuf/encoding/protowire"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

const (
	partialKind = "PartialObjectMetadata"
	// fieldMetadata is metadata's field number in every root message, and in lists.
	fieldMetadata = 1
	// fieldItems is the number of the items in every list message.
	fieldItems = 2
)

var partialType = (&metav1.PartialObjectMetadata{}).ProtoReflect().Descriptor()

// Metadata returns the metadata of an object as the bytes of a PartialObjectMetadata: every occurrence of the first
// field. There may be two, for the resource version is appended to what is stored.
func Metadata(wire []byte) []byte {
	var out []byte
	aliased := true // out is a part of wire as long as one occurrence is enough
	for b := wire; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		v := protowire.ConsumeFieldValue(num, typ, b[n:])
		if v < 0 {
			break
		}
		if num == fieldMetadata {
			switch {
			case out == nil:
				out = b[: n+v : n+v]
			case aliased:
				out, aliased = append(append(make([]byte, 0, len(out)+n+v), out...), b[:n+v]...), false
			default:
				out = append(out, b[:n+v]...)
			}
		}
		b = b[n+v:]
	}
	return out
}

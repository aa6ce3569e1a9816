package respond

import (
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

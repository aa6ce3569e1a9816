package codec

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// AppendResourceVersion appends an object in protobuf encoding to dst, and after it a second occurrence of metadata
// that holds the resource version alone. By protobuf's merge rule the result is the object at that version; nothing of
// the object is decoded. Every reader in this package, and every protobuf library, takes it so.
func AppendResourceVersion(dst, wire []byte, rv string) []byte {
	dst = append(dst, wire...)
	const tag = numResourceVersion<<3 | byte(protowire.BytesType)
	inner := 1 + protowire.SizeVarint(uint64(len(rv))) + len(rv)
	dst = protowire.AppendVarint(append(dst, numMetadata<<3|byte(protowire.BytesType)), uint64(inner))
	dst = protowire.AppendVarint(append(dst, tag), uint64(len(rv)))
	return append(dst, rv...)
}

// DropResourceVersion appends an object without metadata.resourceVersion to dst: what the store keeps.
func DropResourceVersion(dst, wire []byte) ([]byte, error) {
	return dropPath(dst, wire, []int32{numMetadata, numResourceVersion})
}

// DropManagedFields appends an object without metadata.managedFields to dst.
func DropManagedFields(dst, wire []byte) ([]byte, error) {
	return dropPath(dst, wire, []int32{numMetadata, numManagedFields})
}

// DetachManagedFields splits an object into one without managed fields, and a fragment that holds nothing else: the
// two joined in either order are the object. The fragment is nil where there are none.
func DetachManagedFields(wire []byte) (object, fragment []byte, err error) {
	if object, err = DropManagedFields(make([]byte, 0, len(wire)), wire); err != nil {
		return nil, nil, err
	}
	if len(object) == len(wire) {
		return object, nil, nil
	}
	fragment = append(make([]byte, 0, len(wire)-len(object)+8), numMetadata<<3|byte(protowire.BytesType), 0)
	err = eachField(wire, func(num uint64, typ protowire.Type, value []byte) error {
		if num != numMetadata || typ != protowire.BytesType {
			return nil
		}
		fragment, err = keepField(fragment, value, numManagedFields)
		return err
	})
	return object, closeLength(fragment, 2), err
}

// TrimToMetadata appends the metadata of an object to dst and nothing else.
func TrimToMetadata(dst, wire []byte) ([]byte, error) {
	return keepField(dst, wire, numMetadata)
}

// keepField appends the occurrences of one field of a message.
func keepField(dst, w []byte, want uint64) ([]byte, error) {
	start := len(dst)
	for i := 0; i < len(w); {
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return dst[:start], errMalformed
		}
		end := skipValue(w, next, num, typ)
		if end < 0 {
			return dst[:start], errMalformed
		}
		if num == want {
			dst = append(dst, w[i:end]...)
		}
		i = end
	}
	return dst, nil
}

// dropPath appends a message without the field to which the numbers lead, in every occurrence of the messages on the
// way. On an error dst is returned as it was.
func dropPath(dst, w []byte, path []int32) ([]byte, error) {
	start := len(dst)
	for i := 0; i < len(w); {
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return dst[:start], errMalformed
		}
		end := skipValue(w, next, num, typ)
		if end < 0 {
			return dst[:start], errMalformed
		}
		switch {
		case num != uint64(path[0]) || len(path) > 1 && typ != protowire.BytesType:
			dst = append(dst, w[i:end]...)
		case len(path) > 1:
			from, to := chunk(w, next)
			dst = append(append(dst, w[i:next]...), 0)
			at := len(dst)
			var err error
			if dst, err = dropPath(dst, w[from:to], path[1:]); err != nil {
				return dst[:start], err
			}
			if len(dst) == at && to > from && len(path) == 2 {
				dst = dst[:at-1-(next-i)] // the occurrence held nothing else: an appended resource version
			} else {
				dst = closeLength(dst, at)
			}
		}
		i = end
	}
	return dst, nil
}

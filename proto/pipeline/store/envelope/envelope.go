// Package envelope wraps stored objects as Kubernetes does: four magic bytes and a runtime.Unknown message that names
// the object's type and holds its bytes. A value that either has written, both can read.
package envelope

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// magic starts each value that holds a protobuf object.
var magic = []byte("k8s\x00")

// ErrNotProtobuf is returned for values that are not enveloped protobuf: JSON-encoded kinds are stored bare.
var ErrNotProtobuf = errors.New("envelope: value does not start with k8s\\0")

// Field numbers of runtime.Unknown and runtime.TypeMeta.
const (
	unknownTypeMeta        = 1
	unknownRaw             = 2
	unknownContentEncoding = 3
	unknownContentType     = 4
	typeMetaAPIVersion     = 1
	typeMetaKind           = 2
)

// unknownComplete is a field of our own, which Kubernetes skips: its value is that of completeness at the time of the
// write.
const unknownComplete = 15

// completeness says that an object was written with all the defaults of today. It grows with every release that adds
// defaults to a kind: what was written before is then completed when it is read.
const completeness = 1

// Object is what an envelope holds.
type Object struct {
	APIVersion, Kind string
	// Complete tells that the object was written by this code, with all defaults.
	Complete bool
	// Raw is the object in protobuf; it points into the value parsed.
	Raw []byte
}

// overhead is an upper bound of how much longer than raw the enveloped value is.
func overhead(apiVersion, kind string) int {
	return len(magic) + len(apiVersion) + len(kind) + 32
}

// Append appends the enveloped object. parts are the object's bytes, concatenated.
func Append(dst []byte, apiVersion, kind string, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if dst == nil {
		dst = make([]byte, 0, n+overhead(apiVersion, kind))
	}
	dst = append(dst, magic...)
	meta := protowire.SizeTag(typeMetaAPIVersion) + protowire.SizeBytes(len(apiVersion)) +
		protowire.SizeTag(typeMetaKind) + protowire.SizeBytes(len(kind))
	dst = protowire.AppendTag(dst, unknownTypeMeta, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(meta))
	dst = protowire.AppendTag(dst, typeMetaAPIVersion, protowire.BytesType)
	dst = protowire.AppendString(dst, apiVersion)
	dst = protowire.AppendTag(dst, typeMetaKind, protowire.BytesType)
	dst = protowire.AppendString(dst, kind)
	dst = protowire.AppendTag(dst, unknownRaw, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(n))
	for _, p := range parts {
		dst = append(dst, p...)
	}
	// Kubernetes always writes these two, empty.
	dst = protowire.AppendTag(dst, unknownContentEncoding, protowire.BytesType)
	dst = protowire.AppendVarint(dst, 0)
	dst = protowire.AppendTag(dst, unknownContentType, protowire.BytesType)
	dst = protowire.AppendVarint(dst, 0)
	dst = protowire.AppendTag(dst, unknownComplete, protowire.VarintType)
	return protowire.AppendVarint(dst, completeness)
}

// Has tells whether the value is enveloped.
func Has(value []byte) bool { return bytes.HasPrefix(value, magic) }

// Parse takes an envelope apart.
func Parse(value []byte) (Object, error) {
	if !Has(value) {
		return Object{}, ErrNotProtobuf
	}
	var o Object
	err := fields(value[len(magic):], func(num protowire.Number, b []byte) error {
		switch num {
		case unknownComplete:
			n, _ := protowire.ConsumeVarint(b)
			o.Complete = n == completeness
		case unknownTypeMeta:
			return fields(b, func(num protowire.Number, b []byte) error {
				switch num {
				case typeMetaAPIVersion:
					o.APIVersion = string(b)
				case typeMetaKind:
					o.Kind = string(b)
				}
				return nil
			})
		case unknownRaw:
			o.Raw = b
		case unknownContentEncoding:
			if len(b) > 0 {
				return fmt.Errorf("envelope: content encoding %q is not supported", b)
			}
		}
		return nil
	})
	return o, err
}

// fields calls f for each length-delimited field, and for our own with the bytes of its value.
func fields(b []byte, f func(num protowire.Number, b []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("envelope: %w", protowire.ParseError(n))
		}
		b = b[n:]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return fmt.Errorf("envelope: %w", protowire.ParseError(n))
			}
			if num == unknownComplete && typ == protowire.VarintType {
				if err := f(num, b[:n]); err != nil {
					return err
				}
			}
			b = b[n:]
			continue
		}
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return fmt.Errorf("envelope: %w", protowire.ParseError(n))
		}
		if err := f(num, v); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

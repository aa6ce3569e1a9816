// Package envelope reads and writes the wrapper around objects in application/vnd.kubernetes.protobuf: four magic
// bytes, then a message that names apiVersion and kind beside the object's own bytes.
package envelope

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Magic begins every envelope.
const Magic = "k8s\x00"

// Field numbers of runtime.Unknown and its TypeMeta.
const (
	fieldTypeMeta        = 1
	fieldRaw             = 2
	fieldContentEncoding = 3
	fieldContentType     = 4

	fieldAPIVersion = 1
	fieldKind       = 2
)

// ErrMagic reports bytes that are no envelope.
var ErrMagic = errors.New("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")

// AppendHeader appends everything of an envelope that stands before the object's bytes; exactly size of them must
// follow. Nothing stands behind them.
func AppendHeader(dst []byte, apiVersion, kind string, size int) []byte {
	meta := sizeString(fieldAPIVersion, apiVersion) + sizeString(fieldKind, kind)
	dst = append(dst, Magic...)
	dst = protowire.AppendTag(dst, fieldTypeMeta, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(meta))
	dst = appendString(dst, fieldAPIVersion, apiVersion)
	dst = appendString(dst, fieldKind, kind)
	dst = protowire.AppendTag(dst, fieldRaw, protowire.BytesType)
	return protowire.AppendVarint(dst, uint64(size))
}

// Append appends a whole envelope.
func Append(dst []byte, apiVersion, kind string, raw []byte) []byte {
	return append(AppendHeader(dst, apiVersion, kind, len(raw)), raw...)
}

// Object is an opened envelope.
type Object struct {
	APIVersion, Kind string
	// Raw aliases the bytes that were parsed.
	Raw []byte
}

// Parse opens an envelope.
func Parse(b []byte) (Object, error) {
	rest, ok := bytes.CutPrefix(b, []byte(Magic))
	if !ok {
		return Object{}, ErrMagic
	}
	var o Object
	err := walk(rest, func(n protowire.Number, v []byte) error {
		switch n {
		case fieldTypeMeta:
			return walk(v, func(n protowire.Number, v []byte) error {
				switch n {
				case fieldAPIVersion:
					o.APIVersion = string(v)
				case fieldKind:
					o.Kind = string(v)
				}
				return nil
			})
		case fieldRaw:
			o.Raw = v
		case fieldContentEncoding:
			if len(v) > 0 {
				return fmt.Errorf("unsupported content encoding %q", v)
			}
		case fieldContentType:
			if len(v) > 0 && string(v) != "application/vnd.kubernetes.protobuf" {
				return fmt.Errorf("unsupported content type %q", v)
			}
		}
		return nil
	})
	return o, err
}

// walk calls f for each length-delimited field.
func walk(b []byte, f func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := f(num, v); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func sizeString(num protowire.Number, s string) int {
	return protowire.SizeTag(num) + protowire.SizeBytes(len(s))
}

func appendString(dst []byte, num protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(dst, num, protowire.BytesType), s)
}

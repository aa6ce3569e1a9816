package codec

import (
	"encoding/binary"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

var errMalformed = errors.New("malformed protobuf")

// uvarint reads a varint at w[i:] and returns the index after it, or -1 where there is none.
func uvarint(w []byte, i int) (uint64, int) {
	if i < len(w) && w[i] < 0x80 {
		return uint64(w[i]), i + 1
	}
	if i+1 < len(w) && w[i+1] < 0x80 {
		return uint64(w[i])&0x7f | uint64(w[i+1])<<7, i + 2
	}
	if i > len(w) {
		return 0, -1
	}
	v, n := protowire.ConsumeVarint(w[i:])
	if n < 0 {
		return 0, -1
	}
	return v, i + n
}

// chunk reads a length-delimited value at w[i:] and returns its bounds; end is -1 where it is malformed.
func chunk(w []byte, i int) (start, end int) {
	if i < len(w) && w[i] < 0x80 {
		if start, end = i+1, i+1+int(w[i]); end <= len(w) {
			return start, end
		}
		return 0, -1
	}
	return longChunk(w, i)
}

// longChunk is chunk for values of any length.
func longChunk(w []byte, i int) (start, end int) {
	n, i := uvarint(w, i)
	if i < 0 || n > uint64(len(w)-i) {
		return 0, -1
	}
	return i, i + int(n)
}

// nextTag reads a tag at w[i:]; next is -1 where it is malformed.
func nextTag(w []byte, i int) (num uint64, typ protowire.Type, next int) {
	tag, i := uvarint(w, i)
	if i < 0 || tag>>3 == 0 || tag>>3 > maxFieldNumber {
		return 0, 0, -1
	}
	return tag >> 3, protowire.Type(tag & 7), i
}

// skipValue returns the index after the value of a field at w[i:], or -1.
func skipValue(w []byte, i int, num uint64, typ protowire.Type) int {
	switch typ {
	case protowire.VarintType:
		_, i = uvarint(w, i)
		return i
	case protowire.BytesType:
		_, i = chunk(w, i)
		return i
	}
	n := protowire.ConsumeFieldValue(protowire.Number(num), typ, w[i:])
	if n < 0 {
		return -1
	}
	return i + n
}

// fixed64 reads eight bytes at w[i:].
func fixed64(w []byte, i int) (uint64, int) {
	if len(w)-i < 8 {
		return 0, -1
	}
	return binary.LittleEndian.Uint64(w[i:]), i + 8
}

// fixed32 reads four bytes at w[i:].
func fixed32(w []byte, i int) (uint32, int) {
	if len(w)-i < 4 {
		return 0, -1
	}
	return binary.LittleEndian.Uint32(w[i:]), i + 4
}

// closeLength turns the one byte reserved at out[at-1] into the length of out[at:], making room where one byte does
// not hold it.
func closeLength(out []byte, at int) []byte {
	n := len(out) - at
	if n < 0x80 {
		out[at-1] = byte(n)
		return out
	}
	extra := protowire.SizeVarint(uint64(n)) - 1
	for range extra {
		out = append(out, 0)
	}
	copy(out[at+extra:], out[at:at+n])
	protowire.AppendVarint(out[at-1:at-1], uint64(n))
	return out
}

// appendTagged appends a length-delimited field whose tag is already encoded.
func appendTagged(dst, tag, value []byte) []byte {
	dst = append(dst, tag...)
	if len(value) < 0x80 {
		dst = append(dst, byte(len(value)))
	} else {
		dst = protowire.AppendVarint(dst, uint64(len(value)))
	}
	return append(dst, value...)
}

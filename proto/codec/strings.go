package codec

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

const (
	lsb = 0x0101010101010101
	msb = 0x8080808080808080
)

// special has the high bit of the first byte of w set that ends a plain run of a JSON string: a quote, a backslash
// or a control character. Bits above the first one may be wrong.
func special(w uint64) uint64 {
	quote := w ^ lsb*'"'
	slash := w ^ lsb*'\\'
	return ((quote-lsb)&^quote | (slash-lsb)&^slash | (w-lsb*0x20)&^w) & msb
}

// plainRun returns how many bytes from the start of s stand for themselves in a JSON string, and whether any of them
// is not ASCII.
func plainRun(s []byte) (n int, wide bool) {
	var high uint64
	for ; n+8 <= len(s); n += 8 {
		w := binary.LittleEndian.Uint64(s[n:])
		if m := special(w); m != 0 {
			n += bits.TrailingZeros64(m) >> 3
			return n, (high|w)&msb != 0
		}
		high |= w
	}
	wide = high&msb != 0
	for ; n < len(s); n++ {
		c := s[n]
		if c < 0x20 || c == '"' || c == '\\' {
			break
		}
		wide = wide || c >= utf8.RuneSelf
	}
	return n, wide
}

// copyPlain copies s to the beginning of out, which must have room, and tells whether s is ASCII that stands for itself in
// a JSON string. Where it is not, it may have copied a part.
func copyPlain(out, s []byte) bool {
	n := len(s)
	if n < 8 {
		return copyShort(out, s)
	}
	for i := 0; i+8 <= n; i += 8 {
		w := binary.LittleEndian.Uint64(s[i:])
		if special(w)|w&msb != 0 {
			return false
		}
		binary.LittleEndian.PutUint64(out[i:], w)
	}
	w := binary.LittleEndian.Uint64(s[n-8:]) // the rest, with some of what was before
	binary.LittleEndian.PutUint64(out[n-8:], w)
	return special(w)|w&msb == 0
}

// copyShort is copyPlain for less than eight bytes, all of which it puts into one word.
func copyShort(out, s []byte) bool {
	n := len(s)
	var w uint64
	switch {
	case n >= 4:
		low, high := binary.LittleEndian.Uint32(s), binary.LittleEndian.Uint32(s[n-4:])
		binary.LittleEndian.PutUint32(out, low)
		binary.LittleEndian.PutUint32(out[n-4:], high)
		w = uint64(low) | uint64(high)<<32
	case n > 0:
		first, middle, last := s[0], s[n>>1], s[n-1]
		out[0], out[n>>1], out[n-1] = first, middle, last
		w = uint64(first) | uint64(middle)<<8 | uint64(last)<<16 | 0x2020202020<<24
	default:
		return true
	}
	return special(w)|w&msb == 0
}

// appendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD. Characters that only matter inside
// HTML (<, >, &) are left as they are: the string means the same.
func appendString(dst, s []byte) []byte {
	at := len(dst) + 1
	dst = append(slices.Grow(dst, len(s)+2), '"')
	if out := dst[at : at+len(s)+1]; copyPlain(out, s) {
		out[len(s)] = '"'
		return dst[:at+len(s)+1]
	}
	return append(appendEscaped(dst, s), '"')
}

const hexDigits = "0123456789abcdef"

// appendEscaped is appendString's slow path, without the quotes.
func appendEscaped(dst, s []byte) []byte {
	for len(s) > 0 {
		n, wide := plainRun(s)
		if wide {
			dst = appendValid(dst, s[:n])
		} else {
			dst = append(dst, s[:n]...)
		}
		if s = s[n:]; len(s) == 0 {
			break
		}
		switch c := s[0]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		s = s[1:]
	}
	return dst
}

// appendValid appends s with every byte that is not part of valid UTF-8 replaced by U+FFFD, as encoding/json does.
func appendValid(dst, s []byte) []byte {
	if utf8.Valid(s) {
		return append(dst, s...)
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, "\ufffd"...)
		} else {
			dst = append(dst, s[:n]...)
		}
		s = s[n:]
	}
	return dst
}

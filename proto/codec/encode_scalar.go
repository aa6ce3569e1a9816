package codec

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
)

// appendScalarField appends a number, a bool or bytes with its key; next is -1 where the value is malformed.
func appendScalarField(dst []byte, f *field, w []byte, i int) ([]byte, int, error) {
	zero, next := f.peekZero(w, i)
	if next < 0 || zero && f.skipsZero() {
		return dst, next, nil
	}
	return appendScalar(append(dst, f.key...), f, w, i)
}

// peekZero reports whether the value at w[i:] is zero.
func (f *field) peekZero(w []byte, i int) (bool, int) {
	switch f.op {
	case opFloat:
		v, next := fixed32(w, i)
		return v == 0, next
	case opDouble:
		v, next := fixed64(w, i)
		return v == 0, next
	case opBytes:
		from, to := chunk(w, i)
		return from == to, to
	}
	v, next := uvarint(w, i)
	return v == 0, next
}

// appendScalar appends one value without its key.
func appendScalar(dst []byte, f *field, w []byte, i int) ([]byte, int, error) {
	switch f.op {
	case opString:
		from, to := chunk(w, i)
		if to < 0 {
			return dst, -1, nil
		}
		return appendString(dst, w[from:to]), to, nil
	case opBytes:
		from, to := chunk(w, i)
		if to < 0 {
			return dst, -1, nil
		}
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, w[from:to])
		return append(dst, '"'), to, nil
	case opDouble:
		v, next := fixed64(w, i)
		dst, err := appendFloat(dst, math.Float64frombits(v), 64)
		return dst, next, err
	case opFloat:
		v, next := fixed32(w, i)
		dst, err := appendFloat(dst, float64(math.Float32frombits(v)), 32)
		return dst, next, err
	}
	v, next := uvarint(w, i)
	return appendInteger(dst, f.op, v), next, nil
}

// appendInteger appends a varint.
func appendInteger(dst []byte, o op, v uint64) []byte {
	switch o {
	case opBool:
		return strconv.AppendBool(dst, v != 0)
	case opInt32:
		return strconv.AppendInt(dst, int64(int32(v)), 10)
	case opInt64:
		return strconv.AppendInt(dst, int64(v), 10)
	case opUint32:
		return strconv.AppendUint(dst, uint64(uint32(v)), 10)
	}
	return strconv.AppendUint(dst, v, 10)
}

// appendFloat appends a number in encoding/json's form.
func appendFloat(dst []byte, v float64, bits int) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dst, fmt.Errorf("unsupported value: %v", v)
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 {
		if bits == 64 && (abs < 1e-6 || abs >= 1e21) || bits == 32 && (float32(abs) < 1e-6 || float32(abs) >= 1e21) {
			format = 'e'
		}
	}
	dst = strconv.AppendFloat(dst, v, format, -1, bits)
	if n := len(dst); format == 'e' && n >= 4 && dst[n-4] == 'e' && (dst[n-3] == '-' || dst[n-3] == '+') && dst[n-2] == '0' {
		dst[n-2] = dst[n-1] // e-09 is written e-9
		dst = dst[:n-1]
	}
	return dst, nil
}

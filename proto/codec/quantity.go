package codec

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"k8s.io/apimachinery/pkg/api/resource"
)

// maxQuantity is the longest quantity that is looked at. The longest canonical one has under 60 characters.
const maxQuantity = 128

// appendQuantity appends a quantity as JSON in canonical form. The empty one is zero.
func appendQuantity(dst, s []byte) ([]byte, error) {
	if len(s) == 0 {
		return append(dst, `"0"`...), nil
	}
	dst = append(dst, '"')
	if canonicalQuantity(s) {
		dst = append(dst, s...)
	} else {
		canonical, err := canonicalise(s)
		if err != nil {
			return dst, err
		}
		dst = append(dst, canonical...)
	}
	return append(dst, '"'), nil
}

// appendPlainQuantity appends a quantity message that is nothing but a canonical quantity; ok is false for any other.
func appendPlainQuantity(dst, w []byte) (_ []byte, ok bool) {
	const tag = 1<<3 | byte(protowire.BytesType)
	if len(w) < 3 || w[0] != tag || w[1] >= 0x80 || int(w[1]) != len(w)-2 || !canonicalQuantity(w[2:]) {
		return dst, false
	}
	return append(append(append(dst, '"'), w[2:]...), '"'), true
}

// canonicalQuantity reports whether s surely is in canonical form: an integer without leading zeros and with a common
// suffix that is the largest possible. False means "ask canonicalise".
func canonicalQuantity(s []byte) bool {
	n := 0
	value := 0
	for n < len(s) && s[n]-'0' <= 9 {
		value = value*10 + int(s[n]-'0')
		if n++; n > 9 {
			return false
		}
	}
	if n == 0 || s[0] == '0' {
		return len(s) == 1 && n == 1
	}
	switch string(s[n:]) {
	case "", "m", "k", "M", "G":
		return value%1000 != 0
	case "Ki", "Mi", "Gi":
		return value%1024 != 0
	}
	return false
}

var errQuantityRange = errors.New("quantity is out of range")

// canonicalise parses a quantity as Kubernetes does and returns its canonical form.
func canonicalise(s []byte) (string, error) {
	if len(s) > maxQuantity {
		return "", resource.ErrFormatWrong
	}
	if !sensibleExponent(s) {
		return "", errQuantityRange
	}
	q, err := resource.ParseQuantity(string(s))
	if err != nil {
		return "", err
	}
	return q.String(), nil
}

// sensibleExponent refuses exponents of more than three digits: arbitrary-precision arithmetic on 1e999999999 would
// take minutes.
func sensibleExponent(s []byte) bool {
	for i, c := range s {
		if c != 'e' && c != 'E' {
			continue
		}
		digits := s[i+1:]
		if len(digits) > 0 && (digits[0] == '+' || digits[0] == '-') {
			digits = digits[1:]
		}
		for len(digits) > 0 && digits[0] == '0' {
			digits = digits[1:]
		}
		return len(digits) <= 3
	}
	return true
}

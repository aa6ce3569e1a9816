// Package quantity reads and writes the API's resource quantities ("100m", "64Mi", "1e3") as the integers that the
// kernel wants. Fractions are rounded up: a container never gets less than it asks for.
package quantity

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

var suffixes = map[string]*big.Rat{
	"n": big.NewRat(1, 1e9), "u": big.NewRat(1, 1e6), "m": big.NewRat(1, 1e3), "": big.NewRat(1, 1),
	"k": big.NewRat(1e3, 1), "M": big.NewRat(1e6, 1), "G": big.NewRat(1e9, 1), "T": big.NewRat(1e12, 1),
	"P": big.NewRat(1e15, 1), "E": big.NewRat(1e18, 1),
	"Ki": big.NewRat(1<<10, 1), "Mi": big.NewRat(1<<20, 1), "Gi": big.NewRat(1<<30, 1), "Ti": big.NewRat(1<<40, 1),
	"Pi": big.NewRat(1<<50, 1), "Ei": big.NewRat(1<<60, 1),
}

// Rat is the exact value; zero for nil, for an empty quantity, and for one that no server would have let pass.
func Rat(q *metav1.Quantity) *big.Rat {
	s := q.GetString_()
	end := strings.LastIndexAny(s, "0123456789.") + 1
	number, suffix := s[:end], s[end:]
	// 1e3 ends in a digit, so its exponent is part of the number, which big.Rat understands.
	value, ok := new(big.Rat).SetString(number)
	scale, known := suffixes[suffix]
	if !ok || !known {
		return new(big.Rat)
	}
	return value.Mul(value, scale)
}

// Value rounds up to an integer.
func Value(q *metav1.Quantity) int64 { return ceil(Rat(q)) }

// Milli is the value in thousandths, rounded up.
func Milli(q *metav1.Quantity) int64 {
	r := Rat(q)
	return ceil(r.Mul(r, big.NewRat(1000, 1)))
}

func ceil(r *big.Rat) int64 {
	n := new(big.Int).Add(r.Num(), new(big.Int).Sub(r.Denom(), big.NewInt(1)))
	n.Div(n, r.Denom())
	if !n.IsInt64() {
		return math.MaxInt64
	}
	return n.Int64()
}

// Divide is q in units of divisor (zero: one), rounded up, as downward API volumes and variables show it.
func Divide(q, divisor *metav1.Quantity) string {
	d := Rat(divisor)
	if d.Sign() == 0 {
		d = big.NewRat(1, 1)
	}
	return strconv.FormatInt(ceil(new(big.Rat).Quo(Rat(q), d)), 10)
}

// OfBytes writes a number of bytes, in Ki where it is a multiple.
func OfBytes(n int64) *metav1.Quantity {
	if n != 0 && n%1024 == 0 {
		return &metav1.Quantity{String_: fmt.Sprintf("%dKi", n/1024)}
	}
	return &metav1.Quantity{String_: strconv.FormatInt(n, 10)}
}

// Of writes a plain number.
func Of(n int64) *metav1.Quantity { return &metav1.Quantity{String_: strconv.FormatInt(n, 10)} }

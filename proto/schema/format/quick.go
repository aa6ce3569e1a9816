package format

import "k8s.io/apimachinery/pkg/util/validation"

// The functions below answer at once for what is plainly right, which nearly all names are. They may be wrong only in
// saying false: then apimachinery's own function decides, by a regular expression, and words what is wrong.

// class of a character in names.
type class uint8

const (
	lower class = 1 << iota // a-z, 0-9
	upper                   // A-Z
	dash                    // -
	mark                    // . and _
)

var classes = func() (t [256]class) {
	for c := '0'; c <= '9'; c++ {
		t[c] = lower
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] = lower
	}
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = upper
	}
	t['-'], t['.'], t['_'] = dash, mark, mark
	return t
}()

// within tells whether all characters are of inner classes, and the first and last of outer ones.
func within(s string, outer, inner class) bool {
	if s == "" || classes[s[0]]&outer == 0 || classes[s[len(s)-1]]&outer == 0 {
		return false
	}
	for i := range len(s) {
		if classes[s[i]]&inner == 0 {
			return false
		}
	}
	return true
}

// IsLabel tells whether s is plainly a DNS label.
func IsLabel(s string) bool { return len(s) <= 63 && within(s, lower, lower|dash) }

// IsSubdomain tells whether s is plainly a DNS subdomain.
func IsSubdomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	before := class(0)
	for i := range len(s) {
		c := classes[s[i]]
		switch {
		case c&lower != 0:
		case c&dash != 0:
			if before&(lower|dash) == 0 {
				return false
			}
		case s[i] == '.':
			if before&lower == 0 {
				return false
			}
		default:
			return false
		}
		before = c
	}
	return before&lower != 0
}

// IsLabelValue tells whether s is plainly the value of a label.
func IsLabelValue(s string) bool {
	return s == "" || len(s) <= 63 && within(s, lower|upper, lower|upper|dash|mark)
}

// IsQualifiedName tells whether s is plainly a name with or without a subdomain before it.
func IsQualifiedName(s string) bool {
	for i := range len(s) {
		if s[i] == '/' {
			return IsSubdomain(s[:i]) && i+1 < len(s) && IsLabelValue(s[i+1:])
		}
	}
	return s != "" && IsLabelValue(s)
}

// isDataKey tells whether s is plainly a key of a ConfigMap.
func isDataKey(s string) bool {
	return len(s) <= 253 && within(s, lower|upper, lower|upper|dash|mark)
}

// isQuantity tells whether s is plainly a quantity: digits, and a suffix that is not an exponent.
func isQuantity(s string) bool {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n == 0 || n > 15 {
		return false
	}
	switch s[n:] {
	case "", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti":
		return true
	}
	return false
}

// first asks quick, and slow only where quick does not say yes.
func first(quick func(string) bool, slow Func) Func {
	return func(value string) []string {
		if quick(value) {
			return nil
		}
		return slow(value)
	}
}

// Functions of apimachinery that are asked often, quick where a name is plain.
var (
	QualifiedName Func = first(IsQualifiedName, validation.IsQualifiedName)
	LabelValue    Func = first(IsLabelValue, validation.IsValidLabelValue)
	Label         Func = first(IsLabel, validation.IsDNS1123Label)
	Subdomain     Func = first(IsSubdomain, validation.IsDNS1123Subdomain)
)

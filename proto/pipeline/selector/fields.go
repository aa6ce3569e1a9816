package selector

import (
	"fmt"
	"strings"
)

// Field is one term of a field selector: path = value, or path != value.
type Field struct {
	Path, Value string
	Not         bool
}

// Fields are terms that must all hold. Nil matches everything.
type Fields []Field

// ParseFields reads a field selector: "spec.nodeName=a,status.phase!=Failed". A backslash quotes a comma, an equals
// sign or a backslash within a value.
func ParseFields(s string) (Fields, error) {
	var out Fields
	for _, term := range splitTerms(s) {
		if term == "" {
			continue
		}
		f, ok := parseTerm(term)
		if !ok {
			return nil, fmt.Errorf("invalid selector: '%s'; can't understand '%s'", s, term)
		}
		var err error
		if f.Value, err = unescape(f.Value); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func splitTerms(s string) []string {
	if s == "" {
		return nil
	}
	var out []string
	start, escaped := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case escaped:
			escaped = false
		case s[i] == '\\':
			escaped = true
		case s[i] == ',':
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func parseTerm(term string) (Field, bool) {
	for i := 0; i < len(term); i++ {
		rest := term[i:]
		switch {
		case strings.HasPrefix(rest, "!="):
			return Field{Path: term[:i], Value: rest[2:], Not: true}, true
		case strings.HasPrefix(rest, "=="):
			return Field{Path: term[:i], Value: rest[2:]}, true
		case rest[0] == '=':
			return Field{Path: term[:i], Value: rest[1:]}, true
		}
	}
	return Field{}, false
}

func unescape(v string) (string, error) {
	if !strings.ContainsAny(v, `\,=`) {
		return v, nil
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
			if i == len(v) || v[i] != '\\' && v[i] != ',' && v[i] != '=' {
				return "", fmt.Errorf("invalid field selector: invalid escape sequence in value: %s", v)
			}
		case ',', '=':
			return "", fmt.Errorf("invalid field selector: unescaped character in value: %s", v)
		}
		b.WriteByte(v[i])
	}
	return b.String(), nil
}

// Matches tells whether all terms hold for an object whose values field returns.
func (f Fields) Matches(field func(path string) (string, bool)) bool {
	for i := range f {
		v, _ := field(f[i].Path)
		if (v == f[i].Value) == f[i].Not {
			return false
		}
	}
	return true
}

// Exact returns the value that a path must have; ok is false where the selector does not say.
func (f Fields) Exact(path string) (value string, ok bool) {
	for i := range f {
		if f[i].Path == path && !f[i].Not {
			return f[i].Value, true
		}
	}
	return "", false
}

package rules

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
)

// segment is a step of a path: a field, or the key of a map.
type segment struct {
	name string
	key  bool
}

// ParsePath reads a path such as ".spec['a.b'].c" below a schema and returns the schema to which it leads. brackets allows
// the form in brackets.
func ParsePath(text string, s *structural.Schema, brackets bool) ([]segment, *structural.Schema, error) {
	var out []segment
	for rest := text; rest != ""; {
		name, after, err := nextStep(rest, brackets)
		if err != nil {
			return nil, nil, err
		}
		rest = after
		switch {
		case s == nil:
			return nil, nil, errors.New("does not refer to a valid field")
		case len(s.Properties) > 0:
			sub := s.Properties[name]
			if sub == nil {
				return nil, nil, errors.New("does not refer to a valid field")
			}
			out, s = append(out, segment{name: name}), sub
		case s.Additional != nil:
			out, s = append(out, segment{name: name, key: true}), s.Additional
		default:
			return nil, nil, errors.New("does not refer to a valid field")
		}
	}
	return out, s, nil
}

func nextStep(rest string, brackets bool) (name, after string, err error) {
	switch rest[0] {
	case '.':
		rest = rest[1:]
		if rest == "" {
			return "", "", errors.New("unexpected end of JSON path")
		}
		end := strings.IndexAny(rest, ".[]")
		if end < 0 {
			end = len(rest)
		}
		return rest[:end], rest[end:], nil
	case '[':
		if !brackets {
			return "", "", errors.New("array notation is not allowed")
		}
		if !strings.HasPrefix(rest, "['") {
			return "", "", fmt.Errorf("expected single quoted string but got %s", strings.TrimPrefix(rest, "["))
		}
		return quoted(rest[2:])
	}
	end := strings.IndexAny(rest, ".[]")
	if end <= 0 {
		end = max(1, min(len(rest), end))
		if !strings.ContainsAny(rest, ".[]") {
			end = len(rest)
		}
	}
	return "", "", fmt.Errorf("expected [ or . but got: %s", rest[:end])
}

// quoted reads a string up to its closing quote and bracket.
func quoted(rest string) (name, after string, err error) {
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
			if i == len(rest) {
				return "", "", errors.New("unexpected end of JSON path")
			}
			c, ok := map[byte]byte{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\'': '\'', '\\': '\\'}[rest[i]]
			if !ok {
				return "", "", fmt.Errorf("invalid string literal: invalid escape char \\%c", rest[i])
			}
			b.WriteByte(c)
		case '\'':
			if i+1 == len(rest) {
				return "", "", errors.New("unexpected end of JSON path")
			}
			if rest[i+1] != ']' {
				return "", "", fmt.Errorf("expected ] but got %c", rest[i+1])
			}
			return b.String(), rest[i+2:], nil
		default:
			b.WriteByte(rest[i])
		}
	}
	return "", "", errors.New("unexpected end of JSON path")
}

// append adds the steps to the path of an error.
func appendPath(at *field.Path, steps []segment) *field.Path {
	for _, s := range steps {
		if s.key {
			at = at.Key(s.name)
		} else {
			at = at.Child(s.name)
		}
	}
	return at
}

// Dotted writes steps as field selectors name them: "spec.color".
func Dotted(steps []segment) string {
	out := make([]string, len(steps))
	for i, s := range steps {
		out[i] = s.name
	}
	return strings.Join(out, ".")
}

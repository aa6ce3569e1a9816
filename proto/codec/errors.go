package codec

import (
	"strconv"
	"strings"
)

// Validation says what happens to unknown and duplicate fields in JSON. The names are those of Kubernetes'
// fieldValidation parameter.
type Validation uint8

const (
	// Ignore drops unknown fields; of duplicates the last one counts.
	Ignore Validation = iota
	// Warn does the same and returns one warning a field.
	Warn
	// Strict returns a *StrictError that names all of them.
	Strict
)

// Warnings are what was wrong with a document that was decoded all the same: `unknown field "spec.foo"`.
type Warnings []string

// maxProblems bounds the unknown and duplicate fields that one document reports, as in Kubernetes.
const maxProblems = 100

// StrictError says which fields of a document are unknown or duplicate.
type StrictError struct {
	// Problems are in the order of the document, each once, 100 at most: `duplicate field "spec.replicas"`.
	Problems []string
}

// Error has the words of Kubernetes' strict decoding error.
func (e *StrictError) Error() string {
	return "strict decoding error: " + strings.Join(e.Problems, ", ")
}

// SyntaxError says that a document is not JSON. Its text is that of encoding/json.
type SyntaxError struct {
	msg string
	// Offset is how many bytes were read before the error.
	Offset int64
}

func (e *SyntaxError) Error() string { return e.msg }

// TypeError says that a value does not fit its field. Its text is that of encoding/json, with the Go type names of
// Kubernetes' API: clients show it.
type TypeError struct {
	// Value describes the JSON value: "string", "number 1.5", "object".
	Value string
	// Struct is the kind of the object that holds the field; empty for the document itself.
	Struct string
	// Field is the path of JSON names from the root, without list indexes.
	Field string
	// Type is the Go type that Kubernetes has for the value.
	Type string
}

func (e *TypeError) Error() string {
	if e.Struct == "" && e.Field == "" {
		return "json: cannot unmarshal " + e.Value + " into Go value of type " + e.Type
	}
	return "json: cannot unmarshal " + e.Value + " into Go struct field " + e.Struct + "." + e.Field + " of type " + e.Type
}

// ValueError says that a string does not have the form that its field wants: a time, a quantity, base64.
type ValueError struct {
	// Path is where the value is: `spec.containers[0].resources.limits.cpu`.
	Path string
	// Err is what Kubernetes reports, without the path.
	Err error
}

func (e *ValueError) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

func (e *ValueError) Unwrap() error { return e.Err }

// step is one element of the path from the root to the value being read.
type step struct {
	name  string // field
	key   []byte // or map key
	index int    // or list index, where both are empty
}

// path writes the way to the current value, with the names, keys and indexes that lead to it.
func (p *parser) pathTo(last []byte) string {
	var b strings.Builder
	for _, s := range p.path {
		switch {
		case s.name != "":
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		case s.key != nil:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.Write(s.key)
		default:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.index))
			b.WriteByte(']')
		}
	}
	if last != nil {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.Write(last)
	}
	return b.String()
}

// problem records an unknown or duplicate field of the current object.
func (p *parser) problem(what string, key []byte) {
	// The same problem may come again and again: writing its path has a cost, too.
	if p.reports++; p.validation == Ignore || len(p.problems) >= maxProblems || p.reports > 10*maxProblems {
		return
	}
	text := what + " field " + strconv.Quote(p.pathTo(key))
	if p.known == nil {
		p.known = map[string]struct{}{}
	}
	if _, ok := p.known[text]; !ok {
		p.known[text] = struct{}{}
		p.problems = append(p.problems, text)
	}
}

// typeError describes the value at the current place, which does not fit the type.
func (p *parser) typeError(owner *Type, value, goType string) error {
	e := &TypeError{Value: value, Type: goType}
	if owner != nil {
		e.Struct = owner.name
	}
	var names []string
	for _, s := range p.path {
		if s.name != "" {
			names = append(names, s.name)
		}
	}
	e.Field = strings.Join(names, ".")
	return e
}

// mismatch is the typeError for the value that begins at p.in[p.i]; or a syntax error where none begins there.
func (p *parser) mismatch(owner *Type, goType string) error {
	switch c := p.peek(); {
	case c == '"':
		return p.typeError(owner, "string", goType)
	case c == '{':
		return p.typeError(owner, "object", goType)
	case c == '[':
		return p.typeError(owner, "array", goType)
	case c == 't' || c == 'f':
		return p.typeError(owner, "bool", goType)
	case c == '-' || c-'0' <= 9:
		return p.typeError(owner, "number", goType)
	}
	return p.syntax("looking for beginning of value")
}

// valueError wraps the error of a string's form with the path to it.
func (p *parser) valueError(err error) error {
	return &ValueError{Path: p.pathTo(nil), Err: err}
}

// syntax is the error for the byte at p.in[p.i], or for the end of the document.
func (p *parser) syntax(context string) error {
	return syntaxError(p.in, p.i, context)
}

func syntaxError(in []byte, i int, context string) error {
	if i >= len(in) {
		return &SyntaxError{msg: "unexpected end of JSON input", Offset: int64(len(in))}
	}
	c := in[i]
	var quoted string
	switch c {
	case '\'':
		quoted = `'\''`
	case '"':
		quoted = `'"'`
	default:
		s := strconv.Quote(string(rune(c)))
		quoted = "'" + s[1:len(s)-1] + "'"
	}
	return &SyntaxError{msg: "invalid character " + quoted + " " + context, Offset: int64(i) + 1}
}

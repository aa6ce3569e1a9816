package codec

import (
	"bytes"
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

// formValue reads a value whose message is not a plain object in JSON, and appends the fields of the message. owner is
// what type errors name.
func (p *parser) formValue(t *Type, owner *Type) error {
	switch t.form {
	case optionsv1.JSONForm_JSON_FORM_TIME, optionsv1.JSONForm_JSON_FORM_MICRO_TIME:
		s, err := p.text(owner)
		if err != nil || s == nil {
			return err
		}
		seconds, nanos, err := parseTime(s, t.form == optionsv1.JSONForm_JSON_FORM_MICRO_TIME)
		if err != nil {
			return p.valueError(err)
		}
		p.out = appendTimeFields(p.out, seconds, nanos)
		return nil
	case optionsv1.JSONForm_JSON_FORM_DURATION:
		s, err := p.text(owner)
		if err != nil || s == nil {
			return err
		}
		d, err := time.ParseDuration(string(s))
		if err != nil {
			return p.valueError(err)
		}
		if d != 0 {
			p.out = protowire.AppendVarint(append(p.out, 1<<3), uint64(d))
		}
		return nil
	case optionsv1.JSONForm_JSON_FORM_QUANTITY:
		return p.quantity()
	case optionsv1.JSONForm_JSON_FORM_INT_OR_STRING:
		return p.intOrString(owner)
	case optionsv1.JSONForm_JSON_FORM_RAW:
		start := p.i
		if err := p.skip(); err != nil {
			return err
		}
		if raw := p.in[start:p.i]; string(raw) != "null" {
			p.out = appendTagged(p.out, keyTag, raw)
		}
		return nil
	case optionsv1.JSONForm_JSON_FORM_LIST:
		if p.peek() == 'n' {
			return p.null()
		}
		return p.list(&jsonField{field: t.fields[0], owner: owner})
	}
	return p.schemaForm(t)
}

// text reads a string; nil where it is null.
func (p *parser) text(owner *Type) ([]byte, error) {
	switch p.peek() {
	case '"':
		p.i++
		s, err := p.string()
		if s == nil && err == nil {
			s = []byte{}
		}
		return s, err
	case 'n':
		return nil, p.null()
	}
	return nil, p.mismatch(owner, "string")
}

// quantity reads a string or a number and writes its canonical form.
func (p *parser) quantity() error {
	start := p.i
	if err := p.skip(); err != nil {
		return err
	}
	s := p.in[start:p.i]
	if string(s) == "null" {
		return nil
	}
	if s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	if canonicalQuantity(s) {
		p.out = appendTagged(p.out, keyTag, s)
		return nil
	}
	canonical, err := canonicalise(bytes.TrimSpace(s))
	if err != nil {
		return p.valueError(err)
	}
	p.out = append(protowire.AppendVarint(append(p.out, keyTag...), uint64(len(canonical))), canonical...)
	return nil
}

var intValue = &field{op: opInt32, goElem: "int32"}

func (p *parser) intOrString(owner *Type) error {
	switch p.peek() {
	case '"':
		p.i++
		s, err := p.string()
		if err != nil {
			return err
		}
		p.out = append(p.out, 1<<3, 1)
		p.out = append(protowire.AppendVarint(append(p.out, 3<<3|byte(protowire.BytesType)), uint64(len(s))), s...)
		return nil
	case 'n':
		return p.null()
	}
	p.out = append(p.out, 2<<3)
	zero, err := p.scalar(intValue, owner)
	if zero {
		p.out = p.out[:len(p.out)-2]
	}
	return err
}

// schemaForm reads the unions of apiextensions.
func (p *parser) schemaForm(t *Type) error {
	orBool := t.form == optionsv1.JSONForm_JSON_FORM_SCHEMA_OR_BOOL
	switch c := p.peek(); {
	case c == '{':
		if orBool {
			if f := t.member(opBool, false); f != nil {
				p.out = append(append(p.out, f.tag...), 1)
			}
		}
		return p.message(t.schema(), t)
	case c == '[' && !orBool:
		for _, f := range t.fields {
			if f.repeated {
				return p.list(&jsonField{field: f, owner: t})
			}
		}
	case c == 't' && orBool:
		_, err := p.scalar(t.member(opBool, false), t)
		if err == nil {
			f := t.member(opBool, false)
			p.out = append(append(p.out[:len(p.out)-1], f.tag...), 1)
		}
		return err
	case c == 'f' && orBool:
		return p.skip()
	}
	if err := p.skip(); err != nil {
		return err
	}
	if orBool {
		return p.valueError(errors.New("boolean or JSON schema expected"))
	}
	return nil // Kubernetes reads anything else as neither
}

// member returns the field of a message with the operation.
func (t *Type) member(o op, repeated bool) *field {
	for _, f := range t.fields {
		if f.op == o && f.repeated == repeated {
			return f
		}
	}
	return nil
}

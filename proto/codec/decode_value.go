package codec

import (
	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

// field reads the value of a field and writes the field. again says that the field occurred before, so that a zero
// must be written to override what it had.
func (p *parser) field(f *jsonField, again bool) error {
	if p.peek() == 'n' {
		return p.null()
	}
	switch {
	case f.repeated:
		return p.list(f)
	case f.op == opMap:
		return p.mapping(f)
	case f.op == opMessage:
		return p.message(f.field, f.owner)
	case f.op == opString:
		if p.peek() != '"' {
			return p.mismatch(f.owner, f.goType)
		}
		p.i++
		s, err := p.string()
		if err != nil {
			return err
		}
		if len(s) > 0 || f.presence || again {
			p.out = appendTagged(p.out, f.tag, s)
		}
		return nil
	}
	start := len(p.out)
	p.out = append(p.out, f.tag...)
	zero, err := p.scalar(f.field, f.owner)
	if zero && !f.presence && !again {
		p.out = p.out[:start]
	}
	return err
}

// message reads a message and writes it with tag and length.
func (p *parser) message(f *field, owner *Type) error {
	p.out = append(append(p.out, f.tag...), 0)
	start := len(p.out)
	if f.sub.form != optionsv1.JSONForm_JSON_FORM_UNSPECIFIED {
		if err := p.formValue(f.sub, owner); err != nil {
			return err
		}
	} else {
		if p.peek() != '{' {
			return p.mismatch(owner, f.goElem)
		}
		p.i++
		if err := p.object(f.sub, false); err != nil {
			return err
		}
	}
	p.out = closeLength(p.out, start)
	return nil
}

// list reads an array. A null element is the zero value.
func (p *parser) list(f *jsonField) error {
	if p.peek() != '[' {
		return p.mismatch(f.owner, f.goType)
	}
	p.i++
	if p.space(); p.peek() == ']' {
		p.i++
		return nil
	}
	start := 0
	if f.packed {
		p.out = append(append(p.out, f.tag...), 0)
		start = len(p.out)
	}
	p.path = append(p.path, step{})
	at := len(p.path) - 1
	for {
		if err := p.element(f); err != nil {
			return err
		}
		p.path[at].index++
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
			continue
		case ']':
			p.i++
			p.path = p.path[:at]
			if f.packed {
				p.out = closeLength(p.out, start)
			}
			return nil
		}
		return p.syntax("after array element")
	}
}

func (p *parser) element(f *jsonField) error {
	null := p.peek() == 'n'
	if null {
		if err := p.null(); err != nil {
			return err
		}
	}
	if !f.packed && f.op != opMessage {
		p.out = append(p.out, f.tag...)
	}
	switch {
	case f.op == opMessage && null:
		p.out = append(append(p.out, f.tag...), 0)
	case f.op == opMessage:
		return p.message(f.field, f.owner)
	case null:
		p.out = appendZero(p.out, f.op)
	default:
		_, err := p.scalar(f.field, f.owner)
		return err
	}
	return nil
}

// appendZero appends the zero value of a scalar without its tag.
func appendZero(out []byte, o op) []byte {
	switch o {
	case opDouble:
		return append(out, 0, 0, 0, 0, 0, 0, 0, 0)
	case opFloat:
		return append(out, 0, 0, 0, 0)
	}
	return append(out, 0)
}

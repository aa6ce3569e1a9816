package codec

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// scalar reads a value that is neither null nor a message and appends it without its tag.
func (p *parser) scalar(f *field, owner *Type) (zero bool, err error) {
	switch f.op {
	case opString:
		if p.peek() != '"' {
			return false, p.mismatch(owner, f.goElem)
		}
		p.i++
		s, err := p.string()
		if err != nil {
			return false, err
		}
		p.out = append(protowire.AppendVarint(p.out, uint64(len(s))), s...)
		return len(s) == 0, nil
	case opBool:
		switch p.peek() {
		case 't':
			p.i, err = literal(p.in, p.i, "true")
			p.out = append(p.out, 1)
			return false, err
		case 'f':
			p.i, err = literal(p.in, p.i, "false")
			p.out = append(p.out, 0)
			return true, err
		}
		return false, p.mismatch(owner, f.goElem)
	case opBytes:
		return p.base64(f, owner)
	case opDouble, opFloat:
		return p.float(f, owner)
	}
	return p.integer(f, owner)
}

// integer reads a whole number.
func (p *parser) integer(f *field, owner *Type) (zero bool, err error) {
	c := p.peek()
	if c != '-' && c-'0' > 9 {
		return false, p.mismatch(owner, f.goElem)
	}
	start := p.i
	end, whole, err := number(p.in, start)
	if err != nil {
		return false, err
	}
	p.i = end
	text := p.in[start:end]
	var v uint64
	ok := whole
	switch {
	case !whole:
	case len(text) <= 9: // fits every type, but for the sign
		for _, c := range text {
			if c != '-' {
				v = v*10 + uint64(c-'0')
			}
		}
		if c == '-' {
			ok = f.op == opInt32 || f.op == opInt64
			v = -v
		}
	case f.op == opInt32 || f.op == opInt64:
		n, err := strconv.ParseInt(string(text), 10, 64)
		ok = err == nil && (f.op == opInt64 || n == int64(int32(n)))
		v = uint64(n)
	default:
		n, err := strconv.ParseUint(string(text), 10, 64)
		ok = err == nil && (f.op == opUint64 || n == uint64(uint32(n)))
		v = n
	}
	if !ok {
		return false, p.typeError(owner, "number "+string(text), f.goElem)
	}
	p.out = protowire.AppendVarint(p.out, v)
	return v == 0, nil
}

func (p *parser) float(f *field, owner *Type) (zero bool, err error) {
	if c := p.peek(); c != '-' && c-'0' > 9 {
		return false, p.mismatch(owner, f.goElem)
	}
	start := p.i
	if p.i, _, err = number(p.in, start); err != nil {
		return false, err
	}
	text := string(p.in[start:p.i])
	bits := 64
	if f.op == opFloat {
		bits = 32
	}
	v, err := strconv.ParseFloat(text, bits)
	if err != nil {
		return false, p.typeError(owner, "number "+text, f.goElem)
	}
	if f.op == opFloat {
		p.out = binary.LittleEndian.AppendUint32(p.out, math.Float32bits(float32(v)))
	} else {
		p.out = binary.LittleEndian.AppendUint64(p.out, math.Float64bits(v))
	}
	return v == 0, nil
}

// base64 reads bytes.
func (p *parser) base64(f *field, owner *Type) (zero bool, err error) {
	if p.peek() == '[' {
		return p.byteArray(f, owner)
	}
	if p.peek() != '"' {
		return false, p.mismatch(owner, f.goElem)
	}
	p.i++
	s, err := p.string()
	if err != nil {
		return false, err
	}
	p.out = append(p.out, 0)
	start := len(p.out)
	if p.out, err = base64.StdEncoding.AppendDecode(p.out, s); err != nil {
		return false, p.valueError(err)
	}
	n := len(p.out) - start
	p.out = closeLength(p.out, start)
	return n == 0, nil
}

// byteArray reads bytes that are written as an array of numbers, which encoding/json accepts.
func (p *parser) byteArray(f *field, owner *Type) (zero bool, err error) {
	p.i++
	p.out = append(p.out, 0)
	start := len(p.out)
	for p.space(); p.peek() != ']'; p.space() {
		if len(p.out) > start {
			if p.peek() != ',' {
				return false, p.syntax("after array element")
			}
			p.i++
			p.space()
		}
		at := p.i
		switch c := p.peek(); {
		case c == 'n':
			if err := p.null(); err != nil {
				return false, err
			}
			p.out = append(p.out, 0)
		case c == '-' || c-'0' <= 9:
			if p.i, _, err = number(p.in, at); err != nil {
				return false, err
			}
			v, err := strconv.ParseUint(string(p.in[at:p.i]), 10, 8)
			if err != nil {
				return false, p.typeError(owner, "number "+string(p.in[at:p.i]), "uint8")
			}
			p.out = append(p.out, byte(v))
		default:
			return false, p.mismatch(owner, "uint8")
		}
	}
	p.i++
	n := len(p.out) - start
	p.out = closeLength(p.out, start)
	return n == 0, nil
}

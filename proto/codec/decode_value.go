package codec

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

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

// mapping reads an object whose keys are data.
func (p *parser) mapping(f *jsonField) error {
	if p.peek() != '{' {
		return p.mismatch(f.owner, f.goType)
	}
	p.i++
	if p.space(); p.peek() == '}' {
		p.i++
		return nil
	}
	keys := mapKeys{base: len(p.mapKeys)}
	for {
		if p.peek() != '"' {
			return p.syntax("looking for beginning of object key string")
		}
		p.i++
		key, err := p.string()
		if err != nil {
			return err
		}
		p.out = append(append(p.out, f.tag...), 0)
		start := len(p.out)
		p.out = appendTagged(p.out, keyTag, key)
		key = p.stable(key)
		if p.validation != Ignore && keys.seen(p, key) {
			p.problem("duplicate", key)
		}
		if p.space(); p.peek() != ':' {
			return p.syntax("after object key")
		}
		p.i++
		p.space()
		p.path = append(p.path, step{key: key})
		if err := p.mapValue(f); err != nil {
			return err
		}
		p.path = p.path[:len(p.path)-1]
		p.out = closeLength(p.out, start)
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
			continue
		case '}':
			p.i++
			p.mapKeys = p.mapKeys[:keys.base]
			return nil
		}
		return p.syntax("after object key:value pair")
	}
}

// Tags of the key and the value of a map entry that are strings or messages.
var (
	keyTag   = []byte{1<<3 | byte(protowire.BytesType)}
	valueTag = []byte{2<<3 | byte(protowire.BytesType)}
)

func (p *parser) mapValue(f *jsonField) error {
	v := f.val
	if p.peek() == 'n' {
		if err := p.null(); err != nil {
			return err
		}
		p.out = append(p.out, v.tag...)
		if v.op == opMessage {
			p.out = append(p.out, 0)
		} else {
			p.out = appendZero(p.out, v.op)
		}
		return nil
	}
	if v.op == opMessage {
		return p.message(v, f.owner)
	}
	p.out = append(p.out, v.tag...)
	_, err := p.scalar(v, f.owner)
	return err
}

// mapKeys finds duplicate keys of one map: by looking at all of them while they are few, by a set when they are many.
type mapKeys struct {
	base int
	set  map[string]struct{}
}

func (k *mapKeys) seen(p *parser, key []byte) bool {
	const few = 16
	if k.set != nil {
		_, ok := k.set[string(key)]
		k.set[string(key)] = struct{}{}
		return ok
	}
	found := false
	for _, other := range p.mapKeys[k.base:] {
		if string(other) == string(key) {
			found = true
		}
	}
	p.mapKeys = append(p.mapKeys, key)
	if len(p.mapKeys)-k.base > few {
		k.set = make(map[string]struct{}, 4*few)
		for _, other := range p.mapKeys[k.base:] {
			k.set[string(other)] = struct{}{}
		}
	}
	return found
}

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

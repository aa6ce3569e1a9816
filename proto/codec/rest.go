package codec

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// errRest says that the bytes of a rest field are no JSON object.
var errRest = errors.New("the members beside metadata are not a JSON object")

// appendRest appends the members of a JSON object, each with a leading comma. The object was checked when it was read:
// here it is copied.
func appendRest(dst, object []byte) ([]byte, error) {
	if len(object) == 0 {
		return dst, nil
	}
	if len(object) < 2 || object[0] != '{' || object[len(object)-1] != '}' {
		return dst, errRest
	}
	if object = object[1 : len(object)-1]; len(object) == 0 {
		return dst, nil
	}
	return append(append(dst, ','), object...), nil
}

// member sets aside a member that no field of the message has; its value is the next in the document. Members in it that
// stand twice are problems like those of fields.
func (p *parser) member(key []byte) error {
	name := string(key)
	if p.validation != Ignore {
		if p.names == nil {
			p.names = map[string]struct{}{}
		}
		if _, again := p.names[name]; again {
			p.problem("duplicate", key)
		}
		p.names[name] = struct{}{}
	}
	p.members = append(appendString(append(p.members, ','), key), ':')
	start := p.i
	if p.validation == Ignore {
		if err := p.skip(); err != nil {
			return err
		}
	} else {
		p.path = append(p.path, step{name: name})
		if err := p.duplicates(0); err != nil {
			return err
		}
		p.path = p.path[:len(p.path)-1]
	}
	p.members = append(p.members, p.in[start:p.i]...)
	return nil
}

// closeRest writes the members that were set aside as the value of their field.
func (p *parser) closeRest(f *field) {
	if len(p.members) == 0 {
		return
	}
	p.out = protowire.AppendVarint(append(p.out, f.tag...), uint64(len(p.members)+1))
	p.out = append(append(append(p.out, '{'), p.members[1:]...), '}')
	p.members, p.names = p.members[:0], nil
}

// duplicates skips a value and reports the members of objects in it that stand twice.
func (p *parser) duplicates(depth int) error {
	if depth > maxNesting {
		return &SyntaxError{msg: "exceeded max depth", Offset: int64(p.i)}
	}
	switch p.peek() {
	case '{':
		return p.duplicateMembers(depth)
	case '[':
		return p.duplicateItems(depth)
	}
	return p.skip()
}

func (p *parser) duplicateMembers(depth int) error {
	p.i++
	if p.space(); p.peek() == '}' {
		p.i++
		return nil
	}
	for seen := map[string]struct{}{}; ; {
		if p.peek() != '"' {
			return p.syntax("looking for beginning of object key string")
		}
		p.i++
		key, err := p.string()
		if err != nil {
			return err
		}
		name := string(key)
		if _, again := seen[name]; again {
			p.problem("duplicate", key)
		}
		seen[name] = struct{}{}
		if p.space(); p.peek() != ':' {
			return p.syntax("after object key")
		}
		p.i++
		p.space()
		p.path = append(p.path, step{name: name})
		if err := p.duplicates(depth + 1); err != nil {
			return err
		}
		p.path = p.path[:len(p.path)-1]
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
		case '}':
			p.i++
			return nil
		default:
			return p.syntax("after object key:value pair")
		}
	}
}

func (p *parser) duplicateItems(depth int) error {
	p.i++
	if p.space(); p.peek() == ']' {
		p.i++
		return nil
	}
	for n := 0; ; n++ {
		p.path = append(p.path, step{index: n})
		if err := p.duplicates(depth + 1); err != nil {
			return err
		}
		p.path = p.path[:len(p.path)-1]
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
		case ']':
			p.i++
			return nil
		default:
			return p.syntax("after array element")
		}
	}
}

// Member returns the value of a member of a JSON object such as a rest field holds; nil where it is not there or the
// object is malformed. The result points into the object.
func Member(object []byte, name string) []byte {
	from, to, _, _ := findMember(object, name)
	if to == 0 {
		return nil
	}
	return object[from:to]
}

// SetMember returns a JSON object with a member set, or without it where value is nil. It may return object itself, which
// is not changed. Where members are in the order of their names they stay so.
func SetMember(object []byte, name string, value []byte) []byte {
	if len(object) < 2 {
		object = []byte("{}")
	}
	from, to, start, at := findMember(object, name)
	switch {
	case to == 0 && value == nil:
	case value == nil:
		// With the comma behind it, or the one before it where it is the last.
		if end := to; object[end] == ',' {
			to = end + 1
		} else if object[start-1] == ',' {
			start--
		}
		object = append(append(make([]byte, 0, len(object)), object[:start]...), object[to:]...)
	case to > 0:
		out := make([]byte, 0, len(object)-(to-from)+len(value))
		object = append(append(append(out, object[:from]...), value...), object[to:]...)
	default:
		out := append(make([]byte, 0, len(object)+len(name)+len(value)+8), object[:at]...)
		if object[at-1] != '{' && object[at-1] != ',' {
			out = append(out, ',')
		}
		out = append(append(appendString(out, unsafeBytes(name)), ':'), value...)
		if object[at] != '}' {
			out = append(out, ',')
		}
		object = append(out, object[at:]...)
	}
	if len(object) == 2 {
		return nil
	}
	return object
}

// findMember returns where a member's value begins and ends (to is 0 where there is none), where its name begins, and
// where it would have to stand.
func findMember(object []byte, name string) (from, to, start, at int) {
	if len(object) < 2 || object[0] != '{' {
		return 0, 0, 0, 0
	}
	for i := space(object, 1); i < len(object) && object[i] == '"'; {
		begin := i
		end, err := skipString(object, i+1)
		if err != nil {
			return 0, 0, 0, 0
		}
		key := string(object[begin+1 : end-1])
		i = space(object, end)
		i = space(object, i+1)
		value := i
		if i, err = skipJSON(object, i, 0); err != nil {
			return 0, 0, 0, 0
		}
		if key == name {
			return value, i, begin, begin
		}
		if at == 0 && key > name {
			at = begin
		}
		if i = space(object, i); i < len(object) && object[i] == ',' {
			i = space(object, i+1)
		}
	}
	if at == 0 {
		at = len(object) - 1
	}
	return 0, 0, 0, at
}

package codec

import "google.golang.org/protobuf/encoding/protowire"

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

// keyTag is the tag of field 1 where that is a string, bytes or a message: the key of a map entry, for one.
var keyTag = []byte{1<<3 | byte(protowire.BytesType)}

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

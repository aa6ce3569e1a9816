package apply

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// errUnusual says that an encoded set is written in a way that only the general parser reads.
var errUnusual = errors.New("apply: unusual encoding of a set")

// maxSetDepth bounds the nesting; deeper sets are left to the general parser.
const maxSetDepth = 128

// parseSet reads an encoded set. What we and Kubernetes write is read directly; anything else, and what is wrong, goes to
// structured-merge-diff's own parser, which takes several times as long.
func parseSet(raw []byte) (*fieldpath.Set, error) {
	p := setParser{raw: raw}
	set := &fieldpath.Set{}
	if err := p.object(set, 0); err == nil && p.at == len(raw) {
		return set, nil
	}
	set = &fieldpath.Set{}
	return set, set.FromJSON(bytes.NewReader(raw))
}

// setParser reads JSON without spaces.
type setParser struct {
	raw []byte
	at  int
}

func (p *setParser) take(c byte) bool {
	if p.at < len(p.raw) && p.raw[p.at] == c {
		p.at++
		return true
	}
	return false
}

// object reads what is in a set: an object of path elements.
func (p *setParser) object(set *fieldpath.Set, depth int) error {
	if depth > maxSetDepth || !p.take('{') {
		return errUnusual
	}
	if p.take('}') {
		return nil
	}
	for {
		if err := p.member(set, depth); err != nil {
			return err
		}
		if p.take('}') {
			return nil
		}
		if !p.take(',') {
			return errUnusual
		}
	}
}

// member reads a path element and what is below it. An empty object, or one with ".", makes the element a member.
func (p *setParser) member(set *fieldpath.Set, depth int) error {
	pe, err := p.element()
	if err != nil {
		return err
	}
	if bytes.HasPrefix(p.raw[p.at:], noBraces) {
		p.at += len(noBraces)
		set.Members.Insert(pe)
		return nil
	}
	if dot := []byte(`{".":{}`); bytes.HasPrefix(p.raw[p.at:], dot) {
		set.Members.Insert(pe)
		if p.at += len(dot); p.take('}') {
			return nil
		}
		if p.at == len(p.raw) || p.raw[p.at] != ',' {
			return errUnusual
		}
		// The rest reads like an object without ".".
		rest := setParser{raw: p.raw, at: p.at}
		err := rest.tail(set.Children.Descend(pe), depth+1)
		p.at = rest.at
		return err
	}
	return p.object(set.Children.Descend(pe), depth+1)
}

// tail reads the further members of an object: each behind a comma, then the brace.
func (p *setParser) tail(set *fieldpath.Set, depth int) error {
	if depth > maxSetDepth {
		return errUnusual
	}
	for p.take(',') {
		if err := p.member(set, depth); err != nil {
			return err
		}
	}
	if !p.take('}') {
		return errUnusual
	}
	return nil
}

// element reads the name of a path element with its colon.
func (p *setParser) element() (fieldpath.PathElement, error) {
	var none fieldpath.PathElement
	if !p.take('"') {
		return none, errUnusual
	}
	start, escaped := p.at, false
	for {
		if p.at >= len(p.raw) || p.raw[p.at] < ' ' || p.raw[p.at] > '~' {
			return none, errUnusual
		}
		c := p.raw[p.at]
		p.at++
		if c == '"' {
			break
		}
		if c == '\\' {
			if p.at >= len(p.raw) || p.raw[p.at] != '"' && p.raw[p.at] != '\\' {
				return none, errUnusual
			}
			p.at++
			escaped = true
		}
	}
	text := p.raw[start : p.at-1]
	if !p.take(':') || len(text) < 2 || text[1] != ':' {
		return none, errUnusual
	}
	name := string(text)
	if escaped {
		plain := make([]byte, 0, len(text))
		for i := 0; i < len(text); i++ {
			if text[i] == '\\' {
				i++
			}
			plain = append(plain, text[i])
		}
		name = string(plain)
	}
	if name[0] == 'f' {
		name = name[2:]
		return fieldpath.PathElement{FieldName: &name}, nil
	}
	if name[0] == 'k' {
		if pe, ok := keys(name[2:]); ok {
			return pe, nil
		}
	}
	return fieldpath.DeserializePathElement(name)
}

// keys reads the key of a list's item, as it stands behind "k:": an object of strings, numbers and bools.
func keys(text string) (fieldpath.PathElement, bool) {
	var none fieldpath.PathElement
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return none, false
	}
	list := make(value.FieldList, 0, 2)
	for text = text[1:]; ; {
		name, rest, ok := quoted(text)
		if !ok || rest == "" || rest[0] != ':' {
			return none, false
		}
		text = rest[1:]
		var v any
		if v, rest, ok = quoted(text); !ok {
			end := strings.IndexAny(text, ",}")
			if end <= 0 {
				return none, false
			}
			if v, ok = plainValue(text[:end]); !ok {
				return none, false
			}
			rest = text[end:]
		}
		if len(list) > 0 && list[len(list)-1].Name >= name {
			return none, false // out of order, or twice
		}
		list = append(list, value.Field{Name: name, Value: value.NewValueInterface(v)})
		switch {
		case rest == "}":
			return fieldpath.PathElement{Key: &list}, true
		case rest == "" || rest[0] != ',':
			return none, false
		}
		text = rest[1:]
	}
}

// quoted reads a string without escapes at the beginning of text.
func quoted(text string) (s, rest string, ok bool) {
	if text == "" || text[0] != '"' {
		return "", text, false
	}
	end := strings.IndexByte(text[1:], '"')
	if end < 0 || strings.IndexByte(text[1:1+end], '\\') >= 0 {
		return "", text, false
	}
	return text[1 : 1+end], text[2+end:], true
}

func plainValue(text string) (any, bool) {
	switch text {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return n, true
	}
	return nil, false
}

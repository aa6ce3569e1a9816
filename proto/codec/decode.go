package codec

import (
	"fmt"
	"sync"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

// DecodeOptions say how a document is read. The zero value ignores unknown and duplicate fields.
type DecodeOptions struct {
	// Validation of unknown and duplicate fields.
	Validation Validation
	// MaxBytes is the longest document accepted; longer is an error. Zero is no bound: the reader of the document
	// has one.
	MaxBytes int
	// TypeMeta, where not nil, receives the apiVersion and kind of the document, empty where it has none.
	TypeMeta *TypeMeta
}

// TypeMeta is what a document says about its own type.
type TypeMeta struct {
	APIVersion, Kind string
}

// parser is the state of one ParseJSON.
type parser struct {
	in  []byte
	i   int
	out []byte

	path       []step
	validation Validation
	problems   []string
	reports    int                 // calls of problem
	forgotten  int                 // calls of forget that had work to do
	known      map[string]struct{} // problems already recorded
	depth      int
	root       *TypeMeta           // where the caller asked for it
	scratch    []byte              // unescaped strings
	members    []byte              // what the document has beside the fields of its message, each with a leading comma
	names      map[string]struct{} // of members; only where duplicates matter
	mapKeys    [][]byte            // stack of the keys of the maps being read; only where duplicates matter
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

// ParseJSON reads one JSON document and appends its protobuf encoding to dst. What Kubernetes' API server would accept
// is accepted, and refused what it would refuse, with its words: the error is a *SyntaxError, *TypeError, *ValueError
// or, with Strict, *StrictError. On an error dst is returned as it was given.
//
// Fields are written in the order of the document, zero values of fields without presence not at all.
func (t *Type) ParseJSON(dst, json []byte, o DecodeOptions) (wire []byte, w Warnings, err error) {
	if o.MaxBytes > 0 && len(json) > o.MaxBytes {
		return dst, nil, fmt.Errorf("document of %d bytes exceeds the limit of %d bytes", len(json), o.MaxBytes)
	}
	p := parsers.Get().(*parser)
	defer p.free()
	p.in, p.i, p.out, p.validation, p.root = json, 0, dst, o.Validation, o.TypeMeta
	if o.TypeMeta != nil {
		*o.TypeMeta = TypeMeta{}
	}
	if err := p.document(t); err != nil {
		return dst, nil, err
	}
	switch {
	case len(p.problems) == 0:
	case o.Validation == Strict:
		return dst, nil, &StrictError{Problems: p.problems}
	default:
		w = p.problems
	}
	return p.out, w, nil
}

// free gives the parser back without what belongs to the caller.
func (p *parser) free() {
	clear(p.path[:cap(p.path)])
	clear(p.mapKeys[:cap(p.mapKeys)])
	*p = parser{path: p.path[:0], scratch: p.scratch[:0], members: p.members[:0], mapKeys: p.mapKeys[:0]}
	if cap(p.scratch) > 64<<10 || cap(p.members) > 64<<10 || cap(p.mapKeys) > 1024 {
		*p = parser{}
	}
	parsers.Put(p)
}

func (p *parser) document(t *Type) error {
	p.space()
	var err error
	switch {
	case t.form != optionsv1.JSONForm_JSON_FORM_UNSPECIFIED:
		err = p.formValue(t, nil)
	case p.peek() == '{':
		p.i++
		err = p.object(t, true)
	case p.peek() == 'n':
		err = p.null()
	default:
		err = p.mismatch(nil, t.goName)
	}
	if err != nil {
		return err
	}
	if p.space(); p.i < len(p.in) {
		return p.syntax("after top-level value")
	}
	return nil
}

// peek returns the byte at the current place, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.in) {
		return p.in[p.i]
	}
	return 0
}

func (p *parser) space() {
	if p.i < len(p.in) && p.in[p.i] <= ' ' {
		p.i = space(p.in, p.i)
	}
}

func (p *parser) null() error {
	i, err := literal(p.in, p.i, "null")
	p.i = i
	return err
}

func (p *parser) skip() error {
	i, err := skipJSON(p.in, p.i, len(p.path))
	p.i = i
	return err
}

// object reads the fields of a message after its brace.
func (p *parser) object(t *Type, root bool) error {
	if p.depth++; p.depth > maxDepth {
		return &SyntaxError{msg: "exceeded max depth", Offset: int64(p.i)}
	}
	var seen fieldSet
	var typeMeta uint8 // which of kind and apiVersion were seen
	start := len(p.out)
	open := inlines{p: p}
	p.space()
	if p.peek() == '}' {
		p.i++
		p.depth--
		return nil
	}
	for {
		if p.peek() != '"' {
			return p.syntax("looking for beginning of object key string")
		}
		p.i++
		key, err := p.string()
		if err != nil {
			return err
		}
		if p.space(); p.peek() != ':' {
			return p.syntax("after object key")
		}
		p.i++
		p.space()
		f := t.keys.find(key)
		switch {
		case f != nil:
			again := seen.has(f.slot)
			if again {
				p.problem("duplicate", key)
				open.to(nil)
				if err := p.forget(f, start); err != nil {
					return err
				}
			}
			seen.add(f.slot)
			if f.inline != open.now {
				open.to(f.inline)
			}
			p.path = append(p.path, step{name: f.name})
			if err := p.field(f, again); err != nil {
				return err
			}
			p.path = p.path[:len(p.path)-1]
		case (root || t.typed) && (string(key) == "kind" || string(key) == "apiVersion"):
			if err := p.typeMeta(t, key, root, &typeMeta); err != nil {
				return err
			}
		case t.rest != nil:
			if err := p.member(key); err != nil {
				return err
			}
		default:
			p.problem("unknown", key)
			if err := p.skip(); err != nil {
				return err
			}
		}
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
		case '}':
			p.i++
			p.depth--
			if open.now != nil {
				open.to(nil)
			}
			if t.rest != nil {
				p.closeRest(t.rest)
			}
			return nil
		default:
			return p.syntax("after object key:value pair")
		}
	}
}

// typeMeta reads apiVersion or kind, which no message holds.
func (p *parser) typeMeta(t *Type, key []byte, root bool, seen *uint8) error {
	name, bit := "kind", uint8(1)
	if key[0] == 'a' {
		name, bit = "apiVersion", 2
	}
	if *seen&bit != 0 {
		p.problem("duplicate", key)
	}
	*seen |= bit
	switch p.peek() {
	case '"':
		p.i++
		s, err := p.string()
		if err != nil {
			return err
		}
		switch {
		case !root || p.root == nil:
		case bit == 1:
			p.root.Kind = string(s)
		default:
			p.root.APIVersion = string(s)
		}
		return nil
	case 'n':
		return p.null()
	}
	p.path = append(p.path, step{name: name})
	return p.mismatch(t, "string")
}

// inlines tracks the inlined messages that are open at the end of the output: consecutive fields of one share a piece.
type inlines struct {
	p     *parser
	now   *inlineNode
	start [maxInline]int // where the payload of each begins, outermost first
	n     int
}

// to closes what is open and opens the messages down to node.
func (o *inlines) to(node *inlineNode) {
	for o.n > 0 {
		o.n--
		o.p.out = closeLength(o.p.out, o.start[o.n])
	}
	o.now = node
	if node != nil {
		o.open(node)
	}
}

func (o *inlines) open(node *inlineNode) {
	if node.parent != nil {
		o.open(node.parent)
	}
	o.p.out = append(append(o.p.out, node.field.tag...), 0)
	o.start[o.n] = len(o.p.out)
	o.n++
}

// forget removes from the output what an earlier occurrence of a field left, where a later one does not simply merge
// with it or override it: lists are replaced, and so are messages with a JSON form of their own. A later null
// unsets everything but scalars without presence.
func (p *parser) forget(f *jsonField, start int) error {
	null := p.peek() == 'n'
	switch {
	case f.repeated, null && (f.presence || f.op == opMap):
	case f.op == opMessage && f.sub.form != optionsv1.JSONForm_JSON_FORM_UNSPECIFIED:
	default:
		return nil
	}
	if p.forgotten++; p.forgotten > maxProblems { // each copies what is written so far
		return &SyntaxError{msg: "too many duplicate fields", Offset: int64(p.i)}
	}
	var nums []int32
	for n := f.inline; n != nil; n = n.parent {
		nums = append([]int32{n.field.num}, nums...)
	}
	rest, err := dropPath(nil, p.out[start:], append(nums, f.num))
	if err != nil {
		return err
	}
	p.out = append(p.out[:start], rest...)
	return nil
}

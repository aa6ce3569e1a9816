package apply

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	"github.com/keelson/keelson/proto/schema/shape"
)

// appendCreated appends the encoded set of what a new object has: the JSON of Diff(nil, obj).Set, without making the set.
// Creates are the most frequent writes.
func appendCreated(dst []byte, obj protoreflect.Message) []byte {
	w := writers.Get().(*writer)
	w.dst = w.dst[:0]
	w.message(shape.Of(obj.Descriptor()), shape.PointerTo(obj.Interface()), true, true)
	dst = append(slices.Grow(dst, len(w.dst)), w.dst...)
	if cap(w.dst) <= maxPooled {
		clear(w.parts[:cap(w.parts)]) // the pool must not keep the object alive
		clear(w.items[:cap(w.items)])
		clear(w.keys[:cap(w.keys)])
		writers.Put(w)
	}
	return dst
}

// maxPooled is the largest buffer that is kept for later objects.
const maxPooled = 64 << 10

var writers = sync.Pool{New: func() any { return new(writer) }}

type writer struct {
	dst   []byte
	depth int
	// Stacks of the lists and maps being written.
	items []keyed
	parts []part
	keys  []string
	text  []byte
}

var noBraces = []byte("{}")

// message writes the fields of a message as one JSON object. old tells that there was an empty message before: then what
// its JSON had is not new. root tells that the message itself is not new.
func (w *writer) message(m *shape.Message, obj shape.Pointer, old, root bool) {
	w.depth++
	meta := w.depth == 2 && m.Desc.FullName() == "keelson.meta.v1.ObjectMeta"
	w.dst = append(w.dst, '{')
	if !old && !root {
		w.dst = append(w.dst, `".":{}`...)
	}
	for _, f := range m.Sorted {
		if meta && serverFields[f.Name] {
			continue
		}
		w.field(f, f.In(obj), old)
	}
	w.dst = append(w.dst, '}')
	w.depth--
}

// field writes one field where it is new.
func (w *writer) field(f *shape.Field, m shape.Pointer, old bool) {
	set := f.Has(m)
	emitted := f.Options.GetEmit() != optionsv1.Emit_EMIT_UNSPECIFIED
	was := old && emitted
	if !set && (!emitted || was) {
		return
	}
	start := len(w.dst)
	w.name("f:", f.Name)
	body := len(w.dst)
	switch {
	case !set && !(f.Elem != nil && granular(f) && f.Embedded() && !f.Desc.IsMap() && !f.Desc.IsList()):
		w.dst = append(w.dst, noBraces...) // an emitted zero
		return
	case f.Desc.IsMap() && f.Options.GetMapType() != "atomic":
		w.maps(f, m, !was)
	case f.Desc.IsList() && associative(f):
		w.list(f, m, !was)
	case f.Desc.IsMap(), f.Desc.IsList():
		w.dst = append(w.dst, noBraces...)
		return
	case granular(f):
		// A null becomes a message all of which is new, while the field itself was there.
		before := was && f.Embedded()
		w.messageIn(f.Elem, f.Message(m), before, !was)
	case was && f.Elem != nil && f.Embedded() && f.Elem.Empty(f.Message(m)):
	default:
		w.dst = append(w.dst, noBraces...)
		return
	}
	if len(w.dst) == body || was && string(w.dst[body:]) == "{}" {
		w.dst = w.dst[:start] // nothing in it is new
	}
}

// messageIn writes a sub-message; marked tells whether the field itself is new.
func (w *writer) messageIn(m *shape.Message, obj shape.Pointer, before, marked bool) {
	start := len(w.dst)
	w.message(m, obj, before, !marked || before)
	if marked && string(w.dst[start:]) == `{".":{}}` {
		w.dst = append(w.dst[:start], noBraces...)
	}
}

func (w *writer) maps(f *shape.Field, m shape.Pointer, marked bool) {
	base := len(w.keys)
	w.keys = f.AppendKeys(w.keys, m)
	slices.Sort(w.keys[base:])
	w.open(marked)
	for _, k := range w.keys[base:] {
		w.name("f:", k)
		w.dst = append(w.dst, noBraces...)
	}
	w.dst = append(w.dst, '}')
	w.keys = w.keys[:base]
}

func (w *writer) open(marked bool) {
	w.dst = append(w.dst, '{')
	if marked {
		w.dst = append(w.dst, `".":{}`...)
	}
}

// associative tells whether the items of a list have owners of their own.
func associative(f *shape.Field) bool {
	kind := f.Options.GetListType()
	return kind == "set" || kind == "map"
}

// keyed is an item of an associative list, named by the parts of its key: of a set that is the value itself.
type keyed struct {
	from, to int // in parts
	message  shape.Pointer
	many     bool
}

// part is one field of a key.
type part struct {
	name string
	kind protoreflect.Kind // string, bool or int64
	text string
	n    int64
}

func (p part) compare(o part) int {
	return cmp.Or(strings.Compare(p.name, o.name), cmp.Compare(p.kind, o.kind), strings.Compare(p.text, o.text), cmp.Compare(p.n, o.n))
}

func (w *writer) compare(a, b keyed) int {
	return slices.CompareFunc(w.parts[a.from:a.to], w.parts[b.from:b.to], part.compare)
}

func (w *writer) list(f *shape.Field, m shape.Pointer, marked bool) {
	base, parts := len(w.items), len(w.parts)
next:
	for i := range f.Len(m) {
		k := keyed{from: len(w.parts)}
		if f.Elem != nil {
			k.message = f.Messages(m)[i]
		}
		if !w.key(f, m, i) {
			w.parts = w.parts[:k.from]
			continue
		}
		k.to = len(w.parts)
		for j := base; j < len(w.items); j++ {
			if w.compare(w.items[j], k) == 0 {
				w.items[j].many = true
				w.parts = w.parts[:k.from]
				continue next
			}
		}
		w.items = append(w.items, k)
	}
	slices.SortFunc(w.items[base:], w.compare)
	w.open(marked)
	for j := base; j < len(w.items); j++ {
		k := w.items[j] // the stacks may move below
		w.element(f, k)
		if k.many || !granular(f) {
			w.dst = append(w.dst, noBraces...)
			continue
		}
		w.messageIn(f.Elem, k.message, false, true)
	}
	w.dst = append(w.dst, '}')
	w.items, w.parts = w.items[:base], w.parts[:parts]
}

// key puts the parts of an item's key on the stack, in the order of their names; false where it has none.
func (w *writer) key(f *shape.Field, m shape.Pointer, i int) bool {
	if f.Options.GetListType() == "set" {
		p := part{kind: f.Desc.Kind()}
		switch p.kind {
		case protoreflect.StringKind:
			p.text = f.Texts(m)[i]
		case protoreflect.Int32Kind, protoreflect.Int64Kind:
			p.kind, p.n = protoreflect.Int64Kind, f.IntAt(m, i)
		default:
			return false
		}
		w.parts = append(w.parts, p)
		return true
	}
	from := len(w.parts)
	for _, name := range f.Options.GetListMapKeys() {
		k, ok := f.Elem.Field(name)
		if !ok {
			return false
		}
		in := k.In(f.Messages(m)[i])
		p := part{name: name, kind: k.Desc.Kind()}
		if !k.Has(in) && k.Options.GetEmit() == optionsv1.Emit_EMIT_UNSPECIFIED {
			if p, ok = defaultPart(k, p); !ok {
				continue
			}
		} else {
			switch p.kind {
			case protoreflect.StringKind:
				p.text = k.Text(in)
			case protoreflect.BoolKind:
				if k.Bool(in) {
					p.n = 1
				}
			case protoreflect.Int32Kind, protoreflect.Int64Kind:
				p.kind, p.n = protoreflect.Int64Kind, k.Int(in)
			default:
				return false
			}
		}
		w.parts = append(w.parts, p)
	}
	slices.SortFunc(w.parts[from:], func(a, b part) int { return strings.Compare(a.name, b.name) })
	return len(w.parts) > from
}

// defaultPart is the part of a key that an item leaves unsaid.
func defaultPart(k *shape.Field, p part) (part, bool) {
	switch v := defaultOf(k).(type) {
	case string:
		p.kind, p.text = protoreflect.StringKind, v
	case int64:
		p.kind, p.n = protoreflect.Int64Kind, v
	case bool:
		p.kind = protoreflect.BoolKind
		if v {
			p.n = 1
		}
	default:
		return p, false
	}
	return p, true
}

// appendValue appends a part's value as JSON.
func (p part) appendValue(b []byte) []byte {
	switch p.kind {
	case protoreflect.StringKind:
		return appendQuoted(b, p.text)
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, p.n != 0)
	}
	return strconv.AppendInt(b, p.n, 10)
}

// element writes the name of a list's item: JSON inside of a JSON string.
func (w *writer) element(f *shape.Field, k keyed) {
	if f.Options.GetListType() == "set" {
		w.text = w.parts[k.from].appendValue(append(w.text[:0], "v:"...))
	} else {
		w.text = append(w.text[:0], "k:"...)
		for i, p := range w.parts[k.from:k.to] {
			w.text = append(w.text, "{,"[min(i, 1)])
			w.text = append(appendQuoted(w.text, p.name), ':')
			w.text = p.appendValue(w.text)
		}
		w.text = append(w.text, '}')
	}
	w.comma()
	w.dst = append(appendQuoted(w.dst, unsafeText(w.text)), ':')
}

// unsafeText is b as a string for as long as b does not change.
func unsafeText(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// comma separates a member from the one before it.
func (w *writer) comma() {
	if last := w.dst[len(w.dst)-1]; last != '{' {
		w.dst = append(w.dst, ',')
	}
}

// name writes a member's name.
func (w *writer) name(prefix, name string) {
	w.comma()
	if plain(name) {
		w.dst = append(w.dst, '"')
		w.dst = append(append(w.dst, prefix...), name...)
		w.dst = append(w.dst, `":`...)
		return
	}
	w.dst = append(appendQuoted(w.dst, prefix+name), ':')
}

func appendQuoted(dst []byte, s string) []byte {
	if plain(s) {
		return append(append(append(dst, '"'), s...), '"')
	}
	if printable(s) {
		dst = append(dst, '"')
		for i := range len(s) {
			if s[i] == '"' || s[i] == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, s[i])
		}
		return append(dst, '"')
	}
	text, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...)
	}
	return append(dst, text...)
}

// plain tells whether a string is itself in JSON.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// printable tells whether all characters are ASCII and none is a control character.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

package apply

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	"github.com/keelson/keelson/proto/schema/shape"
)

// appendCreated appends the encoded set of what a new object has: the JSON of Diff(nil, obj).Set, without making the set.
// Creates are the most frequent writes.
func appendCreated(dst []byte, obj protoreflect.Message) []byte {
	w := writer{dst: dst}
	w.message(shape.Of(obj.Descriptor()), obj, true, true)
	return w.dst
}

type writer struct {
	dst   []byte
	depth int
}

var noBraces = []byte("{}")

// message writes the fields of a message as one JSON object. old tells that there was an empty message before: then what
// its JSON had is not new. marked tells whether the message itself is new.
func (w *writer) message(m *shape.Message, obj protoreflect.Message, old, root bool) {
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
		w.field(f, f.Holder(obj), old)
	}
	w.dst = append(w.dst, '}')
	w.depth--
}

// field writes one field where it is new.
func (w *writer) field(f *shape.Field, m protoreflect.Message, old bool) {
	set := m.Has(f.Desc)
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
		w.maps(m.Get(f.Desc).Map(), !was)
	case f.Desc.IsList() && associative(f):
		w.list(f, m.Get(f.Desc).List(), !was)
	case f.Desc.IsMap(), f.Desc.IsList():
		w.dst = append(w.dst, noBraces...)
		return
	case granular(f):
		// A null becomes a message all of which is new, while the field itself was there.
		before := was && f.Embedded()
		w.messageIn(f.Elem, m.Get(f.Desc).Message(), before, !was)
	case was && f.Elem != nil && f.Embedded() && empty(m.Get(f.Desc).Message()):
	default:
		w.dst = append(w.dst, noBraces...)
		return
	}
	if len(w.dst) == body || was && string(w.dst[body:]) == "{}" {
		w.dst = w.dst[:start] // nothing in it is new
	}
}

// messageIn writes a sub-message; marked tells whether the field itself is new.
func (w *writer) messageIn(m *shape.Message, obj protoreflect.Message, before, marked bool) {
	start := len(w.dst)
	w.message(m, obj, before, !marked || before)
	if marked && string(w.dst[start:]) == `{".":{}}` {
		w.dst = append(w.dst[:start], noBraces...)
	}
}

func (w *writer) maps(m protoreflect.Map, marked bool) {
	keys := make([]string, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k.String())
		return true
	})
	slices.Sort(keys)
	w.open(marked)
	for _, k := range keys {
		w.name("f:", k)
		w.dst = append(w.dst, noBraces...)
	}
	w.dst = append(w.dst, '}')
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

type keyed struct {
	pe   fieldpath.PathElement
	text string
	v    protoreflect.Value
	many bool
}

func (w *writer) list(f *shape.Field, l protoreflect.List, marked bool) {
	all := make([]keyed, 0, l.Len())
next:
	for i := range l.Len() {
		text, pe, ok := element(f, l.Get(i))
		if !ok {
			continue
		}
		for j := range all {
			if all[j].text == text {
				all[j].many = true
				continue next
			}
		}
		all = append(all, keyed{pe: pe, text: text, v: l.Get(i)})
	}
	slices.SortFunc(all, func(a, b keyed) int { return a.pe.Compare(b.pe) })
	w.open(marked)
	for _, k := range all {
		w.element(k.pe)
		if k.many || !granular(f) {
			w.dst = append(w.dst, noBraces...)
			continue
		}
		w.messageIn(f.Elem, k.v.Message(), false, true)
	}
	w.dst = append(w.dst, '}')
}

// element writes the name of a list's item.
func (w *writer) element(pe fieldpath.PathElement) {
	if pe.Value != nil {
		text, _ := json.Marshal((*pe.Value).Unstructured())
		w.name("v:", string(text))
		return
	}
	var b []byte
	for i, k := range *pe.Key {
		b = append(b, "{,"[min(i, 1)])
		b = appendQuoted(b, k.Name)
		b = append(b, ':')
		switch v := k.Value.Unstructured().(type) {
		case string:
			b = appendQuoted(b, v)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case bool:
			b = strconv.AppendBool(b, v)
		}
	}
	w.name("k:", string(append(b, '}')))
}

// name writes a member's name, with the comma before it.
func (w *writer) name(prefix, name string) {
	if last := w.dst[len(w.dst)-1]; last != '{' {
		w.dst = append(w.dst, ',')
	}
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
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
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

func empty(m protoreflect.Message) bool {
	out := true
	m.Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
		out = false
		return false
	})
	return out
}

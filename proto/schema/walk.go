package schema

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/proto/schema/rule"
	"github.com/keelson/keelson/proto/schema/shape"
)

// walker checks a message and those inside against the rules of their options. It goes by pointers: nothing is asked of
// protoreflect, and paths are made only for what is wrong.
type walker struct {
	errs         ErrorList
	skip, status protoreflect.FieldDescriptor // fields of the root that have rules of their own
	// whole asks for what has not changed too.
	whole bool
	// places lead from the root to where the walker is.
	places []place
}

// place is one step: the name of a field, the key of a map, or neither for the item with an index.
type place struct {
	name, key string
	index     int
}

func (w *walker) push(p place) { w.places = append(w.places, p) }

func (w *walker) pop() { w.places = w.places[:len(w.places)-1] }

// path is the present place as errors name it.
func (w *walker) path() *field.Path {
	var at *field.Path
	for _, p := range w.places {
		switch {
		case p.name != "":
			at = at.Child(p.name)
		case p.index >= 0:
			at = at.Index(p.index)
		default:
			at = at.Key(p.key)
		}
	}
	return at
}

func (w *walker) message(p *plan, m, old shape.Pointer) {
	for i := range p.rules {
		s := &p.rules[i]
		if s.fd == w.skip || s.fd == w.status {
			continue
		}
		if !s.inline {
			w.push(place{name: s.name})
		}
		if s.own {
			w.field(s, m, old)
		}
		if s.sub != nil {
			w.descend(s, m, old)
		}
		if !s.inline {
			w.pop()
		}
	}
	if p.hasUnions {
		w.unions(p, m)
	}
	if p.hooks.Validate != nil && m != nil {
		// Mostly nothing is wrong: only where something is, the hook is asked again with the path.
		msg := p.shape.Interface(m)
		if len(p.hooks.Validate(msg, nil)) > 0 {
			w.errs = append(w.errs, p.hooks.Validate(msg, w.path())...)
		}
	}
}

func (w *walker) descend(s *ruleStep, m, old shape.Pointer) {
	if !s.field.Has(m) {
		if s.embedded && s.sub.empty != nil && !s.options.GetRequired() {
			w.message(s.sub, s.sub.empty, nil)
		}
		return
	}
	switch {
	case s.isMap:
		values := s.field.MessageMap(m)
		for _, k := range slices.Sorted(maps.Keys(values)) {
			w.push(place{key: k, index: -1})
			w.message(s.sub, values[k], nil)
			w.pop()
		}
	case s.isList:
		for i, item := range s.field.Messages(m) {
			w.push(place{index: i})
			w.message(s.sub, item, nil)
			w.pop()
		}
	default:
		was := s.field.Message(old)
		// What an update leaves as it is has been checked before: most change the metadata, the specification or the status.
		// Only the root's own fields are compared, once.
		if was != nil && !w.whole && len(w.places) == 1 && s.field.EqualIn(m, old) {
			return
		}
		w.message(s.sub, s.field.Message(m), was)
	}
}

// field checks the rules of one field.
func (w *walker) field(s *ruleStep, m, old shape.Pointer) {
	o := s.options
	has := s.field.Has(m)
	if s.immutable && old != nil && !s.field.EqualIn(m, old) {
		w.add(field.Invalid(w.path(), s.value(m), validation.FieldImmutableErrorMsg))
		return
	}
	if !has {
		if o.GetRequired() {
			w.add(field.Required(w.path(), ""))
			return
		}
		if !s.number || s.presence || s.isList {
			return
		}
	}
	if o.GetUnsupported() != "" && (old == nil || !s.field.Has(old)) {
		w.add(field.Forbidden(w.path(), rule.NotYet+o.GetUnsupported()))
	}
	switch {
	case s.isList:
		n := s.field.Len(m)
		if o.MaxItems != nil && int64(n) > o.GetMaxItems() {
			w.add(field.TooMany(w.path(), n, int(o.GetMaxItems())))
		}
		if o.MinItems != nil && int64(n) < o.GetMinItems() {
			w.add(field.TooFew(w.path(), n, int(o.GetMinItems())))
		}
		w.items(s, m)
	case s.isMap:
		if n := s.field.Len(m); o.MaxItems != nil && int64(n) > o.GetMaxItems() {
			w.add(field.TooMany(w.path(), n, int(o.GetMaxItems())))
		}
	case s.isText:
		w.text(s, s.field.Text(m))
	case s.number:
		w.int(s, s.field.Int(m))
	}
}

// items checks each value of a list of scalars.
func (w *walker) items(s *ruleStep, m shape.Pointer) {
	switch {
	case s.isText:
		for i, text := range s.field.Texts(m) {
			w.push(place{index: i})
			w.text(s, text)
			w.pop()
		}
	case s.number:
		for i := range s.field.Len(m) {
			w.push(place{index: i})
			w.int(s, s.field.IntAt(m, i))
			w.pop()
		}
	}
}

func (w *walker) text(s *ruleStep, text string) {
	o := s.options
	if len(o.GetEnum()) > 0 && !slices.Contains(o.GetEnum(), text) {
		w.add(field.NotSupported(w.path(), text, slices.Sorted(slices.Values(o.GetEnum()))))
		return
	}
	if o.MaxLength != nil && int64(len(text)) > o.GetMaxLength() {
		w.add(field.TooLong(w.path(), "", int(o.GetMaxLength())))
		return
	}
	if s.check == nil {
		return
	}
	for _, problem := range s.check(text) {
		w.add(field.Invalid(w.path(), text, problem))
	}
}

func (w *walker) int(s *ruleStep, n int64) {
	if problem := outside(n, s.options.Minimum, s.options.Maximum); problem != "" {
		w.add(field.Invalid(w.path(), n, problem))
	}
}

// outside words a number out of range as Kubernetes does.
func outside(n int64, low, high *int64) string {
	switch {
	case low != nil && high != nil:
		if n < *low || n > *high {
			return utilvalidation.InclusiveRangeError(int(*low), int(*high))
		}
	case low != nil && n < *low:
		switch *low {
		case 0:
			return validation.IsNegativeErrorMsg
		case 1:
			return "must be greater than zero"
		}
		return fmt.Sprintf("must be greater than or equal to %d", *low)
	case high != nil && n > *high:
		return fmt.Sprintf("must be less than or equal to %d", *high)
	}
	return ""
}

func (w *walker) unions(p *plan, m shape.Pointer) {
	var seen []*union
	for i := range p.rules {
		s := &p.rules[i]
		if s.union == nil || slices.Contains(seen, s.union) {
			continue
		}
		seen = append(seen, s.union)
		first := ""
		for j := range p.rules {
			o := &p.rules[j]
			if o.union != s.union || !o.field.Has(m) {
				continue
			}
			if first == "" {
				first = o.name
				continue
			}
			w.add(field.Forbidden(w.path().Child(o.name), fmt.Sprintf("may not specify more than 1 %s", s.union.name)))
		}
		if first == "" && s.union.required {
			w.add(field.Required(w.path(), fmt.Sprintf("must specify one of: %s", joinNames(s.union.members))))
		}
	}
}

func joinNames(names []string) string {
	out := ""
	for i, n := range names {
		if i > 0 {
			out += ", "
		}
		out += "`" + n + "`"
	}
	return out
}

func (w *walker) add(e *rule.Error) { w.errs = append(w.errs, e) }

// value is the field's value as errors show it.
func (s *ruleStep) value(m shape.Pointer) any {
	if m == nil {
		return ""
	}
	return valueOf(s.fd, s.field.Owner(m).Get(s.fd))
}

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
}

// place is where the walker is: a list on the stack, from the inside out. A nil place is the root.
type place struct {
	up *place
	// name of a field, key of a map, or neither for the item with an index
	name, key string
	index     int
}

// path makes the place one for errors.
func (p *place) path() *field.Path {
	switch {
	case p == nil:
		return nil
	case p.name != "":
		return p.up.path().Child(p.name)
	case p.index >= 0:
		return p.up.path().Index(p.index)
	}
	return p.up.path().Key(p.key)
}

func (w *walker) message(p *plan, m, old shape.Pointer, at *place) {
	for i := range p.rules {
		s := &p.rules[i]
		if s.fd == w.skip || s.fd == w.status {
			continue
		}
		here := &place{up: at, name: s.name}
		if s.inline {
			here = at
		}
		if s.own {
			w.field(s, m, old, here)
		}
		if s.sub != nil {
			w.descend(s, m, old, here)
		}
	}
	if p.hasUnions {
		w.unions(p, m, at)
	}
	if p.hooks.Validate != nil && m != nil {
		// Mostly nothing is wrong: only where something is, the hook is asked again with the path.
		msg := p.shape.Interface(m)
		if len(p.hooks.Validate(msg, nil)) > 0 {
			w.errs = append(w.errs, p.hooks.Validate(msg, at.path())...)
		}
	}
}

func (w *walker) descend(s *ruleStep, m, old shape.Pointer, at *place) {
	if !s.field.Has(m) {
		if s.embedded && s.sub.empty != nil && !s.options.GetRequired() {
			w.message(s.sub, s.sub.empty, nil, at)
		}
		return
	}
	switch {
	case s.fd.IsMap():
		values := s.field.MessageMap(m)
		for _, k := range slices.Sorted(maps.Keys(values)) {
			w.message(s.sub, values[k], nil, &place{up: at, key: k, index: -1})
		}
	case s.fd.IsList():
		for i, item := range s.field.Messages(m) {
			w.message(s.sub, item, nil, &place{up: at, index: i})
		}
	default:
		w.message(s.sub, s.field.Message(m), s.field.Message(old), at)
	}
}

// field checks the rules of one field.
func (w *walker) field(s *ruleStep, m, old shape.Pointer, at *place) {
	o := s.options
	has := s.field.Has(m)
	if s.immutable && old != nil && !s.field.EqualIn(m, old) {
		w.add(field.Invalid(at.path(), s.value(m), validation.FieldImmutableErrorMsg))
		return
	}
	if !has {
		if o.GetRequired() {
			w.add(field.Required(at.path(), ""))
			return
		}
		if !s.number || s.fd.HasPresence() || s.fd.IsList() {
			return
		}
	}
	if o.GetUnsupported() != "" && (old == nil || !s.field.Has(old)) {
		w.add(field.Forbidden(at.path(), rule.NotYet+o.GetUnsupported()))
	}
	switch {
	case s.fd.IsList():
		n := s.field.Len(m)
		if o.MaxItems != nil && int64(n) > o.GetMaxItems() {
			w.add(field.TooMany(at.path(), n, int(o.GetMaxItems())))
		}
		if o.MinItems != nil && int64(n) < o.GetMinItems() {
			w.add(field.TooFew(at.path(), n, int(o.GetMinItems())))
		}
		w.items(s, m, at)
	case s.fd.IsMap():
		if n := s.field.Len(m); o.MaxItems != nil && int64(n) > o.GetMaxItems() {
			w.add(field.TooMany(at.path(), n, int(o.GetMaxItems())))
		}
	case s.fd.Kind() == protoreflect.StringKind:
		w.text(s, s.field.Text(m), at)
	case s.number:
		w.int(s, s.field.Int(m), at)
	}
}

// items checks each value of a list of scalars.
func (w *walker) items(s *ruleStep, m shape.Pointer, at *place) {
	switch {
	case s.fd.Kind() == protoreflect.StringKind:
		for i, text := range s.field.Texts(m) {
			w.text(s, text, &place{up: at, index: i})
		}
	case s.number:
		for i := range s.field.Len(m) {
			w.int(s, s.field.IntAt(m, i), &place{up: at, index: i})
		}
	}
}

func (w *walker) text(s *ruleStep, text string, at *place) {
	o := s.options
	if len(o.GetEnum()) > 0 && !slices.Contains(o.GetEnum(), text) {
		w.add(field.NotSupported(at.path(), text, slices.Sorted(slices.Values(o.GetEnum()))))
		return
	}
	if o.MaxLength != nil && int64(len(text)) > o.GetMaxLength() {
		w.add(field.TooLong(at.path(), "", int(o.GetMaxLength())))
		return
	}
	if s.check == nil {
		return
	}
	for _, problem := range s.check(text) {
		w.add(field.Invalid(at.path(), text, problem))
	}
}

func (w *walker) int(s *ruleStep, n int64, at *place) {
	if problem := outside(n, s.options.Minimum, s.options.Maximum); problem != "" {
		w.add(field.Invalid(at.path(), n, problem))
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

func (w *walker) unions(p *plan, m shape.Pointer, at *place) {
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
			w.add(field.Forbidden(at.path().Child(o.name), fmt.Sprintf("may not specify more than 1 %s", s.union.name)))
		}
		if first == "" && s.union.required {
			w.add(field.Required(at.path(), fmt.Sprintf("must specify one of: %s", joinNames(s.union.members))))
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

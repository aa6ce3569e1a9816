package schema

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
	"github.com/keelson/keelson/proto/schema/shape"
)

// Validate returns everything that is wrong with an object, which must have its defaults. old is the stored object on
// update and nil on create.
func (k *Kind) Validate(obj, old proto.Message) ErrorList {
	errs := k.validateMeta(obj, old)
	if k.Custom != nil {
		return dedupe(append(errs, k.validateCustom(obj, old, false)...))
	}
	if k.plan != nil {
		w := walker{skip: k.metaField, status: k.statusField}
		w.message(k.plan, obj.ProtoReflect(), reflectOrNil(old), nil)
		errs = append(errs, w.errs...)
	}
	if k.hooks.Validate != nil {
		errs = append(errs, k.hooks.Validate(obj, old)...)
	}
	return dedupe(errs)
}

// ValidateStatus returns everything that is wrong with a write of the status subresource.
func (k *Kind) ValidateStatus(obj, old proto.Message) ErrorList {
	errs := k.validateMeta(obj, old)
	if k.Custom != nil {
		return dedupe(append(errs, k.validateCustom(obj, old, true)...))
	}
	if k.hooks.ValidateStatus != nil {
		errs = append(errs, k.hooks.ValidateStatus(obj, old)...)
	}
	return dedupe(errs)
}

func (k *Kind) validateMeta(obj, old proto.Message) ErrorList {
	if k.metaField == nil || k.Ephemeral {
		return nil
	}
	meta := k.Meta(obj)
	if meta == nil {
		meta = &metav1.ObjectMeta{}
	}
	errs := validateMeta(meta, k.Namespaced, k.NameFormat, field.NewPath("metadata"))
	if old != nil {
		errs = append(errs, validateMetaUpdate(meta, k.Meta(old), field.NewPath("metadata"))...)
	}
	return errs
}

// Meta returns an object's metadata; nil where it has none.
func (k *Kind) Meta(obj proto.Message) *metav1.ObjectMeta {
	if o, ok := obj.(interface{ GetMetadata() *metav1.ObjectMeta }); ok {
		return o.GetMetadata()
	}
	return nil
}

func reflectOrNil(m proto.Message) protoreflect.Message {
	if m == nil {
		return nil
	}
	return m.ProtoReflect()
}

// dedupe removes errors that an option and a hook both found.
func dedupe(errs ErrorList) ErrorList {
	if len(errs) < 2 {
		return errs
	}
	seen := make(map[string]bool, len(errs))
	return slices.DeleteFunc(errs, func(e *field.Error) bool {
		text := e.Error()
		if seen[text] {
			return true
		}
		seen[text] = true
		return false
	})
}

// walker checks a message and those inside against the rules of their options.
type walker struct {
	errs         ErrorList
	skip, status protoreflect.FieldDescriptor // fields of the root that have rules of their own
}

func (w *walker) message(p *plan, m, old protoreflect.Message, at *field.Path) {
	for i := range p.rules {
		s := &p.rules[i]
		if s.fd == w.skip || s.fd == w.status {
			continue
		}
		here := at
		if !s.inline {
			here = at.Child(s.name)
		}
		if s.own {
			w.field(s, m, old, here)
		}
		if s.sub != nil {
			w.descend(s, m, old, here)
		}
	}
	w.unions(p, m, at)
	if p.hooks.Validate != nil {
		w.errs = append(w.errs, p.hooks.Validate(m.Interface(), at)...)
	}
}

func (w *walker) descend(s *ruleStep, m, old protoreflect.Message, at *field.Path) {
	if !m.Has(s.fd) {
		if s.embedded && s.sub.empty != nil && !s.options.GetRequired() {
			w.message(s.sub, s.sub.empty.ProtoReflect(), nil, at)
		}
		return
	}
	v := m.Get(s.fd)
	switch {
	case s.fd.IsMap():
		keys := make([]string, 0, v.Map().Len())
		v.Map().Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
			keys = append(keys, k.String())
			return true
		})
		slices.Sort(keys)
		for _, k := range keys {
			w.message(s.sub, v.Map().Get(protoreflect.ValueOfString(k).MapKey()).Message(), nil, at.Key(k))
		}
	case s.fd.IsList():
		for i := range v.List().Len() {
			w.message(s.sub, v.List().Get(i).Message(), nil, at.Index(i))
		}
	default:
		var before protoreflect.Message
		if old != nil && old.Has(s.fd) {
			before = old.Get(s.fd).Message()
		}
		w.message(s.sub, v.Message(), before, at)
	}
}

// field checks the rules of one field.
func (w *walker) field(s *ruleStep, m, old protoreflect.Message, at *field.Path) {
	o := s.options
	has := m.Has(s.fd)
	v := m.Get(s.fd)
	// The metadata of the object itself is checked by validateMetaUpdate; that of a template inside is as free as the template.
	if o.GetImmutable() && old != nil && s.fd.Parent().FullName() != objectMeta && !equal(s.fd, s.embedded, m, old) {
		w.add(field.Invalid(at, valueOf(s.fd, v), validation.FieldImmutableErrorMsg))
		return
	}
	if !has {
		if o.GetRequired() {
			w.add(field.Required(at, ""))
			return
		}
		if s.fd.Kind() != protoreflect.Int32Kind && s.fd.Kind() != protoreflect.Int64Kind || s.fd.HasPresence() || s.fd.IsList() {
			return
		}
	}
	if o.GetUnsupported() != "" && (old == nil || !old.Has(s.fd)) {
		w.add(field.Forbidden(at, rule.NotYet+o.GetUnsupported()))
	}
	switch {
	case s.fd.IsList():
		n := v.List().Len()
		if o.MaxItems != nil && int64(n) > o.GetMaxItems() {
			w.add(field.TooMany(at, n, int(o.GetMaxItems())))
		}
		if o.MinItems != nil && int64(n) < o.GetMinItems() {
			w.add(field.TooFew(at, n, int(o.GetMinItems())))
		}
		for i := range n {
			w.scalar(s, v.List().Get(i), at.Index(i))
		}
	case s.fd.IsMap():
		if n := v.Map().Len(); o.MaxItems != nil && int64(n) > o.GetMaxItems() {
			w.add(field.TooMany(at, n, int(o.GetMaxItems())))
		}
	default:
		w.scalar(s, v, at)
	}
}

// scalar checks one value of a field.
func (w *walker) scalar(s *ruleStep, v protoreflect.Value, at *field.Path) {
	o := s.options
	switch s.fd.Kind() {
	case protoreflect.StringKind:
		text := v.String()
		if len(o.GetEnum()) > 0 && !slices.Contains(o.GetEnum(), text) {
			w.add(field.NotSupported(at, text, slices.Sorted(slices.Values(o.GetEnum()))))
			return
		}
		if o.MaxLength != nil && int64(len(text)) > o.GetMaxLength() {
			w.add(field.TooLong(at, "", int(o.GetMaxLength())))
			return
		}
		if s.check != nil {
			for _, problem := range s.check(text) {
				w.add(field.Invalid(at, text, problem))
			}
		}
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		if problem := outside(v.Int(), o.Minimum, o.Maximum); problem != "" {
			w.add(field.Invalid(at, v.Int(), problem))
		}
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

func (w *walker) unions(p *plan, m protoreflect.Message, at *field.Path) {
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
			if o.union != s.union || !m.Has(o.fd) {
				continue
			}
			if first == "" {
				first = o.name
				continue
			}
			w.add(field.Forbidden(at.Child(o.name), fmt.Sprintf("may not specify more than 1 %s", s.union.name)))
		}
		if first == "" && s.union.required {
			w.add(field.Required(at, fmt.Sprintf("must specify one of: %s", joinNames(s.union.members))))
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

// equal compares a field of two messages; an absent embedded message equals an empty one.
func equal(fd protoreflect.FieldDescriptor, embedded bool, a, b protoreflect.Message) bool {
	if fd.Message() != nil && !fd.IsMap() && !fd.IsList() {
		return (embedded || a.Has(fd) == b.Has(fd)) && shape.Equal(a.Get(fd).Message(), b.Get(fd).Message())
	}
	return a.Has(fd) == b.Has(fd) && a.Get(fd).Equal(b.Get(fd))
}

package schema

import (
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	"github.com/keelson/keelson/proto/schema/shape"
)

// Default sets what an object leaves unsaid, in place, and makes one form of what can be encoded in two, so that objects
// that are alike are so on the wire too. It is idempotent.
func (k *Kind) Default(obj proto.Message) {
	if custom, ok := obj.(*metav1.CustomObject); ok && k.Custom != nil {
		k.defaultCustom(custom)
		return
	}
	if k.plan == nil || obj == nil {
		return
	}
	if k.hooks.Default != nil {
		k.hooks.Default(obj)
	}
	k.plan.applyDefaults(shape.PointerTo(obj))
	if k.hooks.Finish != nil {
		k.hooks.Finish(obj)
	}
	k.plan.normalise(shape.PointerTo(obj))
}

// normalise makes one form of what the wire can say in two, so that it does not depend on who encoded an object: embedded
// messages without content are left out, and times have their nanoseconds even if they are 0.
func (p *plan) normalise(m shape.Pointer) {
	if p.nanos != nil && p.seconds.Has(m) && !p.nanos.Has(m) {
		p.nanos.Owner(m).Set(p.nanos.Desc, protoreflect.ValueOfInt32(0))
	}
	for i := range p.embeds {
		s := &p.embeds[i]
		if !s.field.Has(m) {
			continue
		}
		switch {
		case s.fd.IsMap():
			for _, v := range s.field.MessageMap(m) {
				s.sub.normalise(v)
			}
		case s.fd.IsList():
			for _, v := range s.field.Messages(m) {
				s.sub.normalise(v)
			}
		default:
			v := s.field.Message(m)
			s.sub.normalise(v)
			if s.embedded && s.sub.shape.Empty(v) {
				s.field.Owner(m).Clear(s.fd)
			}
		}
	}
}

func (p *plan) applyDefaults(m shape.Pointer) {
	if p.hooks.Default != nil {
		p.hooks.Default(p.shape.Interface(m))
	}
	for i := range p.defaults {
		s := &p.defaults[i]
		has := s.field.Has(m)
		if !has && s.value != nil {
			s.field.Owner(m).Set(s.fd, s.value())
			has = true
		}
		if s.sub == nil || !has && !s.embedded {
			continue
		}
		switch {
		case s.fd.IsMap():
			for _, v := range s.field.MessageMap(m) {
				s.sub.applyDefaults(v)
			}
		case s.fd.IsList():
			for _, v := range s.field.Messages(m) {
				s.sub.applyDefaults(v)
			}
		case has:
			s.sub.applyDefaults(s.field.Message(m))
		default:
			// An embedded message exists for Kubernetes though the wire has none: it is kept if it gets any content.
			owner := s.field.Owner(m)
			v := owner.NewField(s.fd)
			s.sub.applyDefaults(shape.PointerTo(v.Message().Interface()))
			if !isEmpty(v.Message()) {
				owner.Set(s.fd, v)
			}
		}
	}
	if p.hooks.Finish != nil {
		p.hooks.Finish(p.shape.Interface(m))
	}
}

func isEmpty(m protoreflect.Message) bool {
	empty := len(m.GetUnknown()) == 0
	m.Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
		empty = false
		return false
	})
	return empty
}

// compileDefault turns the JSON of a default into a function that makes the value; each call makes a new one. A default
// that does not fit its field is an error in a .proto file, which the package's tests find: it panics.
func compileDefault(fd protoreflect.FieldDescriptor, text string) func() protoreflect.Value {
	if text == "" {
		return nil
	}
	make, err := parseDefault(fd, []byte(text))
	if err != nil {
		panic(fmt.Sprintf("default of %s: %v", fd.FullName(), err))
	}
	return make
}

func parseDefault(fd protoreflect.FieldDescriptor, text []byte) (func() protoreflect.Value, error) {
	if fd.IsMap() {
		return nil, fmt.Errorf("maps have no defaults")
	}
	if fd.IsList() {
		var items []json.RawMessage
		if err := json.Unmarshal(text, &items); err != nil {
			return nil, err
		}
		values := []protoreflect.Value{}
		for _, item := range items {
			v, err := scalarDefault(fd, item)
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		return func() protoreflect.Value {
			m := newHolder(fd)
			l := m.Mutable(fd).List()
			for _, v := range values {
				l.Append(v)
			}
			return m.Get(fd)
		}, nil
	}
	if fd.Message() == nil {
		v, err := scalarDefault(fd, text)
		if err != nil {
			return nil, err
		}
		return func() protoreflect.Value { return v }, nil
	}
	return messageDefault(fd, text)
}

// newHolder returns a new message with field fd, from which a value of the field's type can be had.
func newHolder(fd protoreflect.FieldDescriptor) protoreflect.Message {
	t, err := findMessage(fd.ContainingMessage().FullName())
	if err != nil {
		panic(err)
	}
	return t.New()
}

func messageDefault(fd protoreflect.FieldDescriptor, text []byte) (func() protoreflect.Value, error) {
	set := func(protoreflect.Message) {}
	fields := fd.Message().Fields()
	switch form := shape.FormOf(fd.Message()); {
	case form == optionsv1.JSONForm_JSON_FORM_INT_OR_STRING:
		// type (0 is number, 1 is string), intVal, strVal
		if text[0] == '"' {
			v, err := scalarDefault(fields.ByNumber(3), text)
			if err != nil {
				return nil, err
			}
			set = func(m protoreflect.Message) {
				m.Set(fields.ByNumber(1), protoreflect.ValueOfInt64(1))
				m.Set(fields.ByNumber(3), v)
			}
		} else {
			v, err := scalarDefault(fields.ByNumber(2), text)
			if err != nil {
				return nil, err
			}
			set = func(m protoreflect.Message) { m.Set(fields.ByNumber(2), v) }
		}
	case form == optionsv1.JSONForm_JSON_FORM_QUANTITY:
		v, err := scalarDefault(fields.ByNumber(1), text)
		if err != nil {
			return nil, err
		}
		set = func(m protoreflect.Message) { m.Set(fields.ByNumber(1), v) }
	case strings.TrimSpace(string(text)) != "{}":
		return nil, fmt.Errorf("a message's default is {} or nothing")
	}
	return func() protoreflect.Value {
		v := newHolder(fd).NewField(fd)
		set(v.Message())
		return v
	}, nil
}

func scalarDefault(fd protoreflect.FieldDescriptor, text []byte) (protoreflect.Value, error) {
	var err error
	get := func(into any) { err = json.Unmarshal(text, into) }
	switch fd.Kind() {
	case protoreflect.StringKind:
		var s string
		get(&s)
		return protoreflect.ValueOfString(s), err
	case protoreflect.BoolKind:
		var b bool
		get(&b)
		return protoreflect.ValueOfBool(b), err
	case protoreflect.Int32Kind:
		var n int32
		get(&n)
		return protoreflect.ValueOfInt32(n), err
	case protoreflect.Int64Kind:
		var n int64
		get(&n)
		return protoreflect.ValueOfInt64(n), err
	}
	return protoreflect.Value{}, fmt.Errorf("no default for type %s", fd.Kind())
}

package cel

import (
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

var (
	describedMu sync.Mutex
	described   = map[protoreflect.FullName]*Schema{}
)

// Describe returns the schema of a message as its JSON shows it.
func Describe(md protoreflect.MessageDescriptor) *Schema {
	describedMu.Lock()
	defer describedMu.Unlock()
	return describe(md)
}

func describe(md protoreflect.MessageDescriptor) *Schema {
	if s := described[md.FullName()]; s != nil {
		return s
	}
	s := &Schema{}
	described[md.FullName()] = s // first: it may contain itself
	switch formOf(md) {
	case optionsv1.JSONForm_JSON_FORM_UNSPECIFIED:
		s.Type, s.Properties = "object", map[string]*Schema{}
		properties(md, s)
	case optionsv1.JSONForm_JSON_FORM_TIME, optionsv1.JSONForm_JSON_FORM_MICRO_TIME:
		s.Type, s.Format = "string", "date-time"
	case optionsv1.JSONForm_JSON_FORM_DURATION:
		s.Type = "string"
	case optionsv1.JSONForm_JSON_FORM_QUANTITY, optionsv1.JSONForm_JSON_FORM_INT_OR_STRING:
		s.IntOrString = true
	default:
		s.Dynamic = true
	}
	return s
}

func properties(md protoreflect.MessageDescriptor, s *Schema) {
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		o := optionsOf(fd)
		if o.GetInline() && fd.Message() != nil {
			properties(fd.Message(), s)
			continue
		}
		s.Properties[fd.JSONName()] = fieldSchema(fd, o)
	}
}

func fieldSchema(fd protoreflect.FieldDescriptor, o *optionsv1.Field) *Schema {
	switch {
	case fd.IsMap():
		return &Schema{Type: "object", Additional: valueSchema(fd.MapValue())}
	case fd.IsList():
		return &Schema{Type: "array", Items: valueSchema(fd), ListType: o.GetListType(), ListMapKeys: o.GetListMapKeys()}
	}
	return valueSchema(fd)
}

func valueSchema(fd protoreflect.FieldDescriptor) *Schema {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		return describe(fd.Message())
	case protoreflect.BoolKind:
		return &Schema{Type: "boolean"}
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return &Schema{Type: "number"}
	case protoreflect.BytesKind:
		return &Schema{Type: "string", Format: "byte"}
	case protoreflect.StringKind:
		return text
	}
	return &Schema{Type: "integer"}
}

func formOf(md protoreflect.MessageDescriptor) optionsv1.JSONForm {
	if o := md.Options(); o != nil && proto.HasExtension(o, optionsv1.E_JsonForm) {
		return proto.GetExtension(o, optionsv1.E_JsonForm).(optionsv1.JSONForm)
	}
	return optionsv1.JSONForm_JSON_FORM_UNSPECIFIED
}

func optionsOf(fd protoreflect.FieldDescriptor) *optionsv1.Field {
	if o := fd.Options(); o != nil && proto.HasExtension(o, optionsv1.E_Field) {
		return proto.GetExtension(o, optionsv1.E_Field).(*optionsv1.Field)
	}
	return nil
}

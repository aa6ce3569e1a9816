package schema

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// ErrorList holds what is wrong with an object, all of it at once, in Kubernetes' wording.
type ErrorList = rule.ErrorList

// Error is one of them.
type Error = rule.Error

// Causes turns errors into the causes of an Invalid status.
func Causes(errs ErrorList) []*metav1.StatusCause {
	out := make([]*metav1.StatusCause, 0, len(errs))
	for _, e := range errs {
		out = append(out, &metav1.StatusCause{Reason: string(e.Type), Message: e.ErrorBody(), Field: e.Field})
	}
	return out
}

// valueOf prepares a value for an error message, where it is shown as JSON.
func valueOf(fd protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch {
	case fd.IsList():
		out := []any{}
		for i := range v.List().Len() {
			out = append(out, elementOf(fd, v.List().Get(i)))
		}
		return out
	case fd.IsMap():
		out := map[string]any{}
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			out[k.String()] = elementOf(fd.MapValue(), v)
			return true
		})
		return out
	}
	return elementOf(fd, v)
}

func elementOf(fd protoreflect.FieldDescriptor, v protoreflect.Value) any {
	if fd.Message() != nil {
		return rule.Value(v.Message().Interface())
	}
	return v.Interface()
}

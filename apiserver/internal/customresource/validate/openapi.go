package validate

import (
	"encoding/json"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	openapierrors "k8s.io/kube-openapi/pkg/validation/errors"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	openapi "k8s.io/kube-openapi/pkg/validation/validate"
)

// checkOpenAPI returns what a schema finds wrong with a value. history is nil on create.
func checkOpenAPI(s *spec.Schema, value any, history *pair, at *field.Path) field.ErrorList {
	var result *openapi.Result
	if history == nil {
		result = openapi.NewSchemaValidator(s, nil, "", strfmt.Default).Validate(value)
	} else {
		result = (&lenient{history: history, schema: s}).Validate(value)
	}
	if result.IsValid() {
		return nil
	}
	var errs field.ErrorList
	for _, err := range result.Errors {
		errs = append(errs, fieldError(err, at))
	}
	return errs
}

// lenient validates a value of an update: what is as it was is not refused.
type lenient struct {
	history *pair
	schema  *spec.Schema
	root    any
	path    string
	options []openapi.Option
}

// SetPath implements the validator's interface.
func (l *lenient) SetPath(string) {}

// Applies implements the validator's interface.
func (l *lenient) Applies(any, reflect.Kind) bool { return true }

// Validate implements the validator's interface.
func (l *lenient) Validate(any) *openapi.Result {
	options := append([]openapi.Option{func(o *openapi.SchemaValidatorOptions) {
		o.NewValidatorForField, o.NewValidatorForIndex = l.field, l.index
	}}, l.options...)
	result := openapi.NewSchemaValidator(l.schema, l.root, l.path, strfmt.Default, options...).Validate(l.history.value)
	if !result.IsValid() && l.history.unchanged() {
		return &openapi.Result{}
	}
	return result
}

func (l *lenient) field(name string, s *spec.Schema, root any, path string, formats strfmt.Registry, o ...openapi.Option) openapi.ValueValidator {
	below := l.history.key(name)
	if below == nil || l.path == "" && (name == "kind" || name == "apiVersion") {
		return openapi.NewSchemaValidator(s, root, path, formats, o...)
	}
	return &lenient{history: below, schema: s, root: root, path: path, options: o}
}

func (l *lenient) index(i int, s *spec.Schema, root any, path string, formats strfmt.Registry, o ...openapi.Option) openapi.ValueValidator {
	below := l.history.index(i)
	if below == nil {
		return openapi.NewSchemaValidator(s, root, path, formats, o...)
	}
	return &lenient{history: below, schema: s, root: root, path: path, options: o}
}

// fieldError words a finding as Kubernetes does.
func fieldError(err error, at *field.Path) *field.Error {
	v, ok := err.(*openapierrors.Validation)
	if !ok {
		return field.Invalid(at, "", err.Error())
	}
	if v.Name != "" && v.Name != "." {
		at = at.Child(strings.TrimPrefix(v.Name, "."))
	}
	value := v.Value
	if value == nil {
		value = ""
	}
	switch v.Code() {
	case openapierrors.RequiredFailCode:
		return field.Required(at, "")
	case openapierrors.EnumFailCode:
		values := make([]string, 0, len(v.Values))
		for _, allowed := range v.Values {
			if s, ok := allowed.(string); ok {
				values = append(values, s)
				continue
			}
			text, _ := json.Marshal(allowed)
			values = append(values, string(text))
		}
		return field.NotSupported(at, v.Value, values)
	case openapierrors.TooLongFailCode:
		return field.TooLong(at, "", number(v.Valid))
	case openapierrors.MaxItemsFailCode, openapierrors.TooManyPropertiesCode:
		return field.TooMany(at, number(v.Value), number(v.Valid))
	case openapierrors.InvalidTypeCode:
		return field.TypeInvalid(at, value, v.Error())
	}
	return field.Invalid(at, value, v.Error())
}

func number(v any) int {
	if n, ok := v.(int64); ok {
		return int(n)
	}
	return -1
}

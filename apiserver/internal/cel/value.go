package cel

import (
	"fmt"
	"reflect"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
)

// Value wraps a JSON tree that a schema describes. Nothing is copied or looked at before an expression asks for it.
func Value(tree any, s *Schema) ref.Val {
	switch {
	case s.Dynamic:
		return types.DefaultTypeAdapter.NativeToValue(tree)
	case tree == nil && s.Nullable:
		return types.NullValue
	case tree == nil:
		return types.NewErr("invalid data, got null for schema with nullable=false")
	case s.IntOrString:
		switch v := tree.(type) {
		case string:
			return types.String(v)
		case int64:
			return types.Int(v)
		}
		return types.NewErr("invalid data, expected XIntOrString value to be either a string or integer")
	}
	switch s.Type {
	case "object":
		m, ok := tree.(map[string]any)
		if !ok {
			return types.NewErr("invalid data, expected a map for the provided schema with type=object")
		}
		if s.Embedded {
			s = s.WithMeta()
		}
		return &object{tree: m, schema: s}
	case "array":
		l, ok := tree.([]any)
		if !ok {
			return types.NewErr("invalid data, expected an array for the provided schema with type=array")
		}
		if s.Items == nil {
			return types.NewErr("invalid array type, expected Items with a non-empty Schema")
		}
		return newList(l, s)
	case "string":
		v, ok := tree.(string)
		if !ok {
			return types.NewErr("invalid data, expected string, got %T", tree)
		}
		return stringValue(v, s.Format)
	case "number":
		switch v := tree.(type) {
		case int64:
			return types.Double(v)
		case float64:
			return types.Double(v)
		}
		return types.NewErr("invalid data, expected float, got %T", tree)
	case "integer":
		if v, ok := tree.(int64); ok {
			return types.Int(v)
		}
		return types.NewErr("invalid data, expected int, got %T", tree)
	case "boolean":
		if v, ok := tree.(bool); ok {
			return types.Bool(v)
		}
		return types.NewErr("invalid data, expected bool, got %T", tree)
	}
	if s.PreserveUnknown {
		return unknown{tree}
	}
	return types.NewErr("invalid type, expected object, array, number, integer, boolean or string, or no type with x-kubernetes-int-or-string or x-kubernetes-preserve-unknown-fields is true, got %s", s.Type)
}

// stringValue gives strings of some formats the type that they stand for.
func stringValue(s, format string) ref.Val {
	switch format {
	case "duration":
		d, err := strfmt.ParseDuration(s)
		if err != nil {
			return types.NewErr("Invalid duration %s: %v", s, err)
		}
		return types.Duration{Duration: d}
	case "date":
		d, err := time.Parse(strfmt.RFC3339FullDate, s)
		if err != nil {
			return types.NewErr("Invalid date formatted string %s: %v", s, err)
		}
		return types.Timestamp{Time: d}
	case "date-time":
		d, err := strfmt.ParseDateTime(s)
		if err != nil {
			return types.NewErr("Invalid date-time formatted string %s: %v", s, err)
		}
		return types.Timestamp{Time: time.Time(d)}
	case "byte":
		var b strfmt.Base64
		if err := b.UnmarshalText([]byte(s)); err != nil {
			return types.NewErr("Invalid byte formatted string %s: %v", s, err)
		}
		return types.Bytes(b)
	}
	return types.String(s)
}

// unknown is data without schema: it can only be compared.
type unknown struct{ tree any }

// ConvertToNative implements ref.Val.
func (u unknown) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("type conversion to '%s' not supported for values preserved by x-kubernetes-preserve-unknown-fields", t)
}

// ConvertToType implements ref.Val.
func (u unknown) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("type conversion to '%s' not supported for values preserved by x-kubernetes-preserve-unknown-fields", t.TypeName())
}

// Equal implements ref.Val.
func (u unknown) Equal(other ref.Val) ref.Val { return types.Bool(sameTree(u.tree, other.Value())) }

// Type implements ref.Val.
func (u unknown) Type() ref.Type { return types.UnknownType }

// Value implements ref.Val.
func (u unknown) Value() any { return u.tree }

// sameTree compares JSON trees.
func sameTree(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || !sameTree(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameTree(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// Optional is Value for oldSelf of rules that take an optional: none where the tree is nil.
func Optional(tree any, s *Schema) ref.Val {
	if tree == nil {
		return types.OptionalNone
	}
	return types.OptionalOf(Value(tree, s))
}

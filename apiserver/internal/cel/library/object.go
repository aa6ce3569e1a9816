package library

import (
	"fmt"
	"reflect"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// class is what all values of one of the libraries' types have in common.
type class[T any] struct {
	typ   *types.Type
	equal func(a, b T) bool
	// text is the value as a string; nil where it has no such form.
	text func(T) string
	// castable types have a conversion by string().
	castable bool
	// size is what the value counts for in costs; nil is 1.
	size func(T) int
}

// object is a value of a library's type.
type object[T any] struct {
	value T
	class *class[T]
}

func (c *class[T]) wrap(v T) ref.Val { return object[T]{v, c} }

// ConvertToNative implements ref.Val.
func (o object[T]) ConvertToNative(t reflect.Type) (any, error) {
	if reflect.TypeOf(o.value).AssignableTo(t) {
		return o.value, nil
	}
	if o.class.text != nil && reflect.TypeFor[string]().AssignableTo(t) {
		return o.class.text(o.value), nil
	}
	return nil, fmt.Errorf("type conversion error from '%s' to '%v'", o.class.typ, t)
}

// ConvertToType implements ref.Val.
func (o object[T]) ConvertToType(t ref.Type) ref.Val {
	switch {
	case t.TypeName() == o.class.typ.TypeName():
		return o
	case t == types.TypeType:
		return o.class.typ
	case t == types.StringType && o.class.castable:
		return types.String(o.class.text(o.value))
	}
	return types.NewErr("type conversion error from '%s' to '%s'", o.class.typ, t)
}

// Equal implements ref.Val.
func (o object[T]) Equal(other ref.Val) ref.Val {
	b, ok := other.(object[T])
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	return types.Bool(o.class.equal(o.value, b.value))
}

// Type implements ref.Val.
func (o object[T]) Type() ref.Type { return o.class.typ }

// Value implements ref.Val.
func (o object[T]) Value() any { return o.value }

// cost is the size for the sake of costs.
func (o object[T]) cost() uint64 {
	if o.class.size == nil {
		return 1
	}
	return uint64(o.class.size(o.value))
}

// cheap marks the types of this package: comparing them costs 1.
func (o object[T]) cheap() {}

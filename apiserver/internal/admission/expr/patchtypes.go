package expr

import (
	"fmt"
	"reflect"
	"strings"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

const (
	objectType = "Object"
	patchType  = "JSONPatch"
)

// ObjectType and PatchesType are what the expressions of mutations return: an apply configuration, a list of operations.
var (
	ObjectType  = celgo.ObjectType(objectType)
	PatchesType = celgo.ListType(celgo.ObjectType(patchType))
)

// patchTypes declares Object{...}, Object.spec{...} and so on, of any fields, and JSONPatch{op, path, from, value}.
func patchTypes() celgo.EnvOption {
	return func(e *celgo.Env) (*celgo.Env, error) {
		return celgo.CustomTypeProvider(&literals{e.CELTypeProvider()})(e)
	}
}

var operationFields = map[string]*types.Type{"op": types.StringType, "path": types.StringType, "from": types.StringType, "value": types.DynType}

type literals struct{ types.Provider }

func isObject(name string) bool { return name == objectType || strings.HasPrefix(name, objectType+".") }

// FindStructType implements types.Provider.
func (l *literals) FindStructType(name string) (*types.Type, bool) {
	if isObject(name) || name == patchType {
		return types.NewTypeTypeWithParam(celgo.ObjectType(name)), true
	}
	return l.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (l *literals) FindStructFieldNames(name string) ([]string, bool) {
	if isObject(name) || name == patchType {
		return nil, true
	}
	return l.Provider.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (l *literals) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	switch {
	case isObject(name):
		return &types.FieldType{Type: types.DynType}, true
	case name == patchType:
		t, ok := operationFields[field]
		return &types.FieldType{Type: t}, ok
	}
	return l.Provider.FindStructFieldType(name, field)
}

// NewValue implements types.Provider.
func (l *literals) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if isObject(name) || name == patchType {
		return &literal{typ: celgo.ObjectType(name), fields: fields}
	}
	return l.Provider.NewValue(name, fields)
}

// literal is an object that an expression has written.
type literal struct {
	typ    *types.Type
	fields map[string]ref.Val
}

var _ traits.Mapper = (*literal)(nil)

// Find implements traits.Mapper.
func (l *literal) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), true
	}
	v, ok := l.fields[string(name)]
	return v, ok
}

// Get implements traits.Indexer.
func (l *literal) Get(key ref.Val) ref.Val {
	if v, ok := l.Find(key); ok {
		return v
	}
	return types.ValOrErr(key, "no such key: %v", key)
}

// Contains implements traits.Container.
func (l *literal) Contains(key ref.Val) ref.Val {
	_, ok := l.Find(key)
	return types.Bool(ok)
}

// Size implements traits.Sizer.
func (l *literal) Size() ref.Val { return types.Int(len(l.fields)) }

// Iterator implements traits.Iterable.
func (l *literal) Iterator() traits.Iterator {
	out := map[ref.Val]ref.Val{}
	for k, v := range l.fields {
		out[types.String(k)] = v
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, out).Iterator()
}

// IsZeroValue implements traits.Zeroer.
func (l *literal) IsZeroValue() bool { return len(l.fields) == 0 }

// ConvertToNative implements ref.Val.
func (l *literal) ConvertToNative(t reflect.Type) (any, error) {
	v, err := Tree(l)
	if err != nil {
		return nil, err
	}
	if t.Kind() == reflect.Map || t.Kind() == reflect.Interface {
		return v, nil
	}
	return nil, fmt.Errorf("unable to convert to %v", t)
}

// ConvertToType implements ref.Val.
func (l *literal) ConvertToType(t ref.Type) ref.Val {
	switch {
	case t.TypeName() == l.typ.TypeName():
		return l
	case t == types.TypeType:
		return types.NewTypeTypeWithParam(l.typ)
	}
	return types.NewErr("unsupported conversion into %v", t)
}

// Equal implements ref.Val.
func (l *literal) Equal(other ref.Val) ref.Val {
	o, ok := other.(*literal)
	if !ok || o.typ.TypeName() != l.typ.TypeName() || len(o.fields) != len(l.fields) {
		return types.False
	}
	for k, v := range l.fields {
		w, ok := o.fields[k]
		if !ok || v.Equal(w) != types.True {
			return types.False
		}
	}
	return types.True
}

// Type implements ref.Val.
func (l *literal) Type() ref.Type { return l.typ }

// Value implements ref.Val.
func (l *literal) Value() any {
	v, err := Tree(l)
	if err != nil {
		return types.WrapErr(err)
	}
	return v
}

// CheckNames tells where the types in an apply configuration are not those of the fields that they stand in:
// Object{spec: Object.status{}}.
func CheckNames(v ref.Val) error { return checkNames(v, v.Type().TypeName()) }

func checkNames(v ref.Val, want string) error {
	switch v := v.(type) {
	case *literal:
		if got := v.typ.TypeName(); got != want {
			return fmt.Errorf("unexpected type name %q, expected %q, which matches field name path from root Object type", got, want)
		}
		for name, f := range v.fields {
			if err := checkNames(f, want+"."+name); err != nil {
				return err
			}
		}
	case *types.Optional:
		if v.HasValue() {
			return checkNames(v.GetValue(), want)
		}
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True; {
			if err := checkNames(it.Next(), want); err != nil {
				return err
			}
		}
	case traits.Mapper:
		for it := v.Iterator(); it.HasNext() == types.True; {
			if err := checkNames(v.Get(it.Next()), want); err != nil {
				return err
			}
		}
	}
	return nil
}

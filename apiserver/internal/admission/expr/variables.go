package expr

import (
	"context"
	"fmt"
	"reflect"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/keelson/keelson/apiserver/internal/cel"
)

const variablesType = "kubernetes.variables"

// declared are a policy's variables: the type of `variables` grows by each that is compiled, thus one can only use those
// before it.
type declared struct {
	types.Provider
	fields map[string]*types.FieldType
}

// FindStructType implements types.Provider.
func (d *declared) FindStructType(name string) (*types.Type, bool) {
	if name == variablesType {
		return types.NewTypeTypeWithParam(celgo.ObjectType(variablesType)), true
	}
	return d.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (d *declared) FindStructFieldNames(name string) ([]string, bool) {
	if name != variablesType {
		return d.Provider.FindStructFieldNames(name)
	}
	var out []string
	for f := range d.fields {
		out = append(out, f)
	}
	return out, true
}

// FindStructFieldType implements types.Provider.
func (d *declared) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name != variablesType {
		return d.Provider.FindStructFieldType(name, field)
	}
	f, ok := d.fields[field]
	return f, ok
}

// values are the variables of one evaluation: each is computed when it is first asked for, and then kept.
type values struct {
	ctx      context.Context
	programs map[string]*cel.Program
	vars     *activation
	budget   *cel.Budget
	known    map[string]ref.Val
}

var _ traits.Mapper = (*values)(nil)

// Find implements traits.Mapper.
func (v *values) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), true
	}
	p := v.programs[string(name)]
	if p == nil {
		return nil, false
	}
	out, ok := v.known[string(name)]
	if !ok {
		var err error
		if out, err = p.Eval(v.ctx, v.vars, v.budget); err != nil {
			out = types.NewErr("composited variable %q fails to evaluate: %v", string(name), err)
		}
		v.known[string(name)] = out
	}
	return out, true
}

// Get implements traits.Indexer.
func (v *values) Get(key ref.Val) ref.Val {
	if out, ok := v.Find(key); ok {
		return out
	}
	return types.ValOrErr(key, "no such key: %v", key)
}

// Contains implements traits.Container.
func (v *values) Contains(key ref.Val) ref.Val {
	name, _ := key.(types.String)
	return types.Bool(v.programs[string(name)] != nil)
}

// Size implements traits.Sizer.
func (v *values) Size() ref.Val { return types.Int(len(v.programs)) }

// Iterator implements traits.Iterable.
func (v *values) Iterator() traits.Iterator {
	names := map[string]string{}
	for name := range v.programs {
		names[name] = name
	}
	return types.DefaultTypeAdapter.NativeToValue(names).(traits.Mapper).Iterator()
}

// ConvertToNative implements ref.Val.
func (v *values) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("type conversion error from 'variables' to '%v'", t)
}

// ConvertToType implements ref.Val.
func (v *values) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("type conversion error from 'variables' to '%s'", t.TypeName())
}

// Equal implements ref.Val.
func (v *values) Equal(other ref.Val) ref.Val { return types.Bool(other == ref.Val(v)) }

// Type implements ref.Val.
func (v *values) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (v *values) Value() any { return v }

package cel

import (
	"fmt"
	"reflect"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// list is a JSON array. identity tells what makes two elements the same one: nil for lists in which order counts.
type list struct {
	elements []any
	schema   *Schema
	identity func(element any) (key any, ok bool)
}

var _ traits.Lister = (*list)(nil)

func newList(elements []any, s *Schema) ref.Val {
	l := &list{elements: elements, schema: s}
	switch s.ListType {
	case "", "atomic":
	case "set":
		l.identity = treeKey
	case "map":
		keys := s.ListMapKeys
		l.identity = func(e any) (any, bool) { return MapKey(e, keys) }
	default:
		return types.NewErr("invalid x-kubernetes-list-type, expected 'map', 'set' or 'atomic' but got %s", s.ListType)
	}
	return l
}

// MapKey is what identifies an element of a list of type map; ok is false where it lacks a key or has one that is no
// scalar.
func MapKey(element any, keys []string) (key any, ok bool) {
	m, ok := element.(map[string]any)
	if !ok || len(keys) == 0 {
		return nil, false
	}
	if len(keys) == 1 {
		return scalar(m[keys[0]])
	}
	// Quoted strings and typed numbers keep the parts apart.
	parts := make([]any, len(keys))
	for i, k := range keys {
		if parts[i], ok = scalar(m[k]); !ok {
			return nil, false
		}
	}
	return fmt.Sprintf("%#v", parts), true
}

func scalar(v any) (any, bool) {
	switch v.(type) {
	case string, bool, int64, float64:
		return v, true
	}
	return nil, false
}

// treeKey makes any JSON tree comparable.
func treeKey(v any) (any, bool) {
	if s, ok := scalar(v); ok {
		return s, true
	}
	return fmt.Sprintf("%#v", v), true // maps are printed in the order of their keys
}

// Get implements traits.Indexer.
func (l *list) Get(index ref.Val) ref.Val {
	i, ok := index.(types.Int)
	if !ok {
		return types.ValOrErr(index, "unsupported index: %v", index)
	}
	if i < 0 || int(i) >= len(l.elements) {
		return types.NewErr("index out of bounds: %v", index)
	}
	return l.at(int(i))
}

func (l *list) at(i int) ref.Val { return Value(l.elements[i], l.schema.Items) }

// Size implements traits.Sizer.
func (l *list) Size() ref.Val { return types.Int(len(l.elements)) }

// Iterator implements traits.Iterable.
func (l *list) Iterator() traits.Iterator { return &listIterator{list: l} }

type listIterator struct {
	iterator
	list *list
}

// HasNext implements traits.Iterator.
func (i *listIterator) HasNext() ref.Val { return types.Bool(i.next < len(i.list.elements)) }

// Next implements traits.Iterator.
func (i *listIterator) Next() ref.Val {
	i.next++
	return i.list.at(i.next - 1)
}

// Contains implements traits.Container.
func (l *list) Contains(v ref.Val) ref.Val {
	if types.IsUnknownOrError(v) {
		return v
	}
	var failed ref.Val
	for i := range l.elements {
		switch eq := l.at(i).Equal(v).(type) {
		case types.Bool:
			if eq {
				return types.True
			}
		default:
			failed = types.MaybeNoSuchOverloadErr(eq)
		}
	}
	if failed != nil {
		return failed
	}
	return types.False
}

// Equal implements ref.Val. In maps and sets the order does not count.
func (l *list) Equal(other ref.Val) ref.Val {
	o, ok := other.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	if l.Size() != o.Size() {
		return types.False
	}
	if l.identity == nil {
		for i := range l.elements {
			if eq := l.at(i).Equal(o.Get(types.Int(i))); eq != types.True {
				return eq
			}
		}
		return types.True
	}
	return sameMembers(l, o, l.identity)
}

// sameMembers compares lists in which order does not count.
func sameMembers(a, b traits.Lister, identity func(any) (any, bool)) ref.Val {
	members := map[any]ref.Val{}
	for it := a.Iterator(); it.HasNext() == types.True; {
		v := it.Next()
		k, _ := identity(native(v))
		members[k] = v
	}
	seen := map[any]bool{}
	for it := b.Iterator(); it.HasNext() == types.True; {
		v := it.Next()
		k, _ := identity(native(v))
		m, ok := members[k]
		if !ok {
			return types.False
		}
		if eq := m.Equal(v); eq != types.True {
			return eq
		}
		seen[k] = true
	}
	return types.Bool(len(seen) == len(members))
}

// native is a value as a JSON tree, for the sake of its identity.
func native(v ref.Val) any {
	switch v := v.(type) {
	case types.String:
		return string(v)
	case types.Int:
		return int64(v)
	case types.Double:
		return float64(v)
	case types.Bool:
		return bool(v)
	}
	return v.Value()
}

// Add implements traits.Adder: lists are joined; elements that a set or map has already are not added, in a map they
// take the place of the old one.
func (l *list) Add(other ref.Val) ref.Val {
	o, ok := other.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	out := make([]ref.Val, 0, len(l.elements))
	at := map[any]int{}
	for i := range l.elements {
		v := l.at(i)
		if l.identity != nil {
			k, _ := l.identity(native(v))
			at[k] = len(out)
		}
		out = append(out, v)
	}
	for it := o.Iterator(); it.HasNext() == types.True; {
		v := it.Next()
		if l.identity != nil {
			k, _ := l.identity(native(v))
			if i, have := at[k]; have {
				out[i] = v
				continue
			}
			at[k] = len(out)
		}
		out = append(out, v)
	}
	sum := types.NewRefValList(types.DefaultTypeAdapter, out)
	if l.identity == nil {
		return sum
	}
	return &joined{Lister: sum, identity: l.identity}
}

// joined is the sum of lists of type map or set: still one, in which order does not count.
type joined struct {
	traits.Lister
	identity func(any) (any, bool)
}

// Equal implements ref.Val.
func (j *joined) Equal(other ref.Val) ref.Val {
	o, ok := other.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	if j.Size() != o.Size() {
		return types.False
	}
	return sameMembers(j, o, j.identity)
}

// ConvertToNative implements ref.Val.
func (l *list) ConvertToNative(t reflect.Type) (any, error) {
	switch {
	case t.Kind() == reflect.Interface:
		return l.elements, nil
	case t.Kind() != reflect.Slice:
	case t.Elem().Kind() == reflect.String || l.schema.Items.Type == "string" && t.Elem().Kind() == reflect.Interface:
		out := make([]string, len(l.elements))
		for i, e := range l.elements {
			s, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("expected all elements to be of type string, but got %T", e)
			}
			out[i] = s
		}
		return out, nil
	default:
		return l.elements, nil
	}
	return nil, fmt.Errorf("type conversion error from '%s' to '%s'", l.Type(), t)
}

// ConvertToType implements ref.Val.
func (l *list) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.ListType:
		return l
	case types.TypeType:
		return types.ListType
	}
	return types.NewErr("type conversion error from '%s' to '%s'", l.Type(), t.TypeName())
}

// Type implements ref.Val.
func (l *list) Type() ref.Type { return types.ListType }

// Value implements ref.Val.
func (l *list) Value() any { return l.elements }

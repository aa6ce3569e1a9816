package cel

import (
	"fmt"
	"reflect"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// object is a JSON object: one with fields, which go by escaped names, or a map.
type object struct {
	tree   map[string]any
	schema *Schema
}

var _ traits.Mapper = (*object)(nil)

// of is the schema of a field or value; nil where there is none.
func (o *object) of(key string) *Schema {
	if o.schema.Properties != nil {
		return o.schema.Properties[key]
	}
	return o.schema.Additional
}

// Find implements traits.Mapper.
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), true
	}
	k := string(name)
	fields := o.schema.Properties != nil
	if fields {
		if k, ok = Unescape(k); !ok {
			return nil, false
		}
	}
	v, ok := o.tree[k]
	if !ok || fields && v == nil { // a null field is as good as absent
		return nil, false
	}
	if s := o.of(k); s != nil {
		return Value(v, s), true
	}
	return nil, false
}

// Get implements traits.Indexer.
func (o *object) Get(key ref.Val) ref.Val {
	if v, ok := o.Find(key); ok {
		return v
	}
	return types.ValOrErr(key, "no such key: %v", key)
}

// Contains implements traits.Container.
func (o *object) Contains(key ref.Val) ref.Val {
	v, ok := o.Find(key)
	if v != nil && types.IsUnknownOrError(v) {
		return v
	}
	return types.Bool(ok)
}

// Size implements traits.Sizer.
func (o *object) Size() ref.Val { return types.Int(len(o.tree)) }

// Iterator implements traits.Iterable: over the keys that have a schema.
func (o *object) Iterator() traits.Iterator {
	keys := make([]ref.Val, 0, len(o.tree))
	for k := range o.tree {
		if o.of(k) == nil {
			continue
		}
		if o.schema.Properties != nil {
			if escaped, ok := Escape(k); ok {
				k = escaped
			}
		}
		keys = append(keys, types.String(k))
	}
	return &iterator{items: keys}
}

// Equal implements ref.Val. What has no schema is compared as JSON.
func (o *object) Equal(other ref.Val) ref.Val {
	m, ok := other.(traits.Mapper)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	if o.Size() != m.Size() {
		return types.False
	}
	raw, _ := other.(*object)
	for k, v := range o.tree {
		s := o.of(k)
		if s == nil || raw != nil && raw.schema == o.schema && (v == nil || raw.tree[k] == nil) {
			if raw == nil {
				return types.MaybeNoSuchOverloadErr(other)
			}
			if w, ok := raw.tree[k]; !ok || !sameTree(v, w) {
				return types.False
			}
			continue
		}
		name := k
		if o.schema.Properties != nil {
			if escaped, ok := Escape(k); ok {
				name = escaped
			}
		}
		mine, has := o.Find(types.String(name))
		theirs, had := m.Find(types.String(name))
		if has != had {
			return types.False
		}
		if has {
			if eq := mine.Equal(theirs); eq != types.True {
				return eq
			}
		}
	}
	return types.True
}

// ConvertToNative implements ref.Val.
func (o *object) ConvertToNative(t reflect.Type) (any, error) {
	if t.Kind() == reflect.Map || t.Kind() == reflect.Interface {
		return o.tree, nil
	}
	return nil, fmt.Errorf("type conversion error from '%s' to '%s'", o.Type(), t)
}

// ConvertToType implements ref.Val.
func (o *object) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.MapType:
		return o
	case types.TypeType:
		return types.MapType
	}
	return types.NewErr("type conversion error from '%s' to '%s'", o.Type(), t.TypeName())
}

// Type implements ref.Val.
func (o *object) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (o *object) Value() any { return o.tree }

// iterator walks over values made before.
type iterator struct {
	items []ref.Val
	next  int
}

// HasNext implements traits.Iterator.
func (i *iterator) HasNext() ref.Val { return types.Bool(i.next < len(i.items)) }

// Next implements traits.Iterator.
func (i *iterator) Next() ref.Val {
	v := i.items[i.next]
	i.next++
	return v
}

// The rest of ref.Val, which nobody asks of an iterator.

// ConvertToNative implements ref.Val.
func (i *iterator) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("type conversion error from iterator to '%s'", t)
}

// ConvertToType implements ref.Val.
func (i *iterator) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("type conversion error from iterator to '%s'", t.TypeName())
}

// Equal implements ref.Val.
func (i *iterator) Equal(other ref.Val) ref.Val { return types.MaybeNoSuchOverloadErr(other) }

// Type implements ref.Val.
func (i *iterator) Type() ref.Type { return types.IteratorType }

// Value implements ref.Val.
func (i *iterator) Value() any { return nil }

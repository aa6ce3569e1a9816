package expr

import (
	"encoding/base64"
	"fmt"
	"math"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Tree returns a value as a JSON tree. Optionals without a value are left out of objects and lists.
func Tree(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.String:
		return string(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		if v > math.MaxInt64 {
			return nil, fmt.Errorf("number %d is too large", uint64(v))
		}
		return int64(v), nil
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%v is not a JSON number", float64(v))
		}
		return float64(v), nil
	case types.Bytes:
		return base64.StdEncoding.EncodeToString(v), nil
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano), nil
	case types.Duration:
		return v.Duration.String(), nil
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil
		}
		return Tree(v.GetValue())
	case *literal:
		return fieldsTree(v)
	case traits.Lister:
		return listTree(v)
	case traits.Mapper:
		return mapTree(v)
	}
	return nil, fmt.Errorf("a value of type %s cannot be written as JSON", v.Type().TypeName())
}

func absent(v ref.Val) bool {
	o, ok := v.(*types.Optional)
	return ok && !o.HasValue()
}

func fieldsTree(l *literal) (any, error) {
	out := make(map[string]any, len(l.fields))
	for name, v := range l.fields {
		if absent(v) {
			continue
		}
		t, err := Tree(v)
		if err != nil {
			return nil, fmt.Errorf("fail to convert field %q: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}

func listTree(l traits.Lister) (any, error) {
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		v := it.Next()
		if absent(v) {
			continue
		}
		t, err := Tree(v)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func mapTree(m traits.Mapper) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		name, ok := k.Value().(string)
		if !ok {
			return nil, fmt.Errorf("map key %v is of type %s, not string", k.Value(), k.Type().TypeName())
		}
		v := m.Get(k)
		if absent(v) {
			continue
		}
		t, err := Tree(v)
		if err != nil {
			return nil, err
		}
		out[name] = t
	}
	return out, nil
}

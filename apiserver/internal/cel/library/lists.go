package library

import (
	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// element is a type of which lists have arithmetic; zero is nil where it has no sum.
type element struct {
	name string
	typ  *celgo.Type
	zero ref.Val
}

var elements = []element{
	{"int", celgo.IntType, types.Int(0)},
	{"uint", celgo.UintType, types.Uint(0)},
	{"double", celgo.DoubleType, types.Double(0)},
	{"duration", celgo.DurationType, types.Duration{}},
	{"bool", celgo.BoolType, nil},
	{"timestamp", celgo.TimestampType, nil},
	{"string", celgo.StringType, nil},
	{"bytes", celgo.BytesType, nil},
}

func listFunctions() functions {
	out := functions{}
	add := func(name string, o celgo.FunctionOpt) { out[name] = append(out[name], o) }
	for _, e := range elements {
		list := args(celgo.ListType(e.typ))
		add("isSorted", member("list_"+e.name+"_is_sorted_bool", list, celgo.BoolType, celgo.UnaryBinding(isSorted)))
		add("max", member("list_"+e.name+"_max_"+e.name, list, e.typ, celgo.UnaryBinding(extreme("max", types.IntNegOne))))
		add("min", member("list_"+e.name+"_min_"+e.name, list, e.typ, celgo.UnaryBinding(extreme("min", types.IntOne))))
		if e.zero != nil {
			add("sum", member("list_"+e.name+"_sum_"+e.name, list, e.typ, celgo.UnaryBinding(sum(e.zero))))
		}
	}
	a := celgo.TypeParamType("A")
	add("indexOf", member("list_a_index_of_int", args(celgo.ListType(a), a), celgo.IntType, celgo.BinaryBinding(indexOf)))
	add("lastIndexOf", member("list_a_last_index_of_int", args(celgo.ListType(a), a), celgo.IntType, celgo.BinaryBinding(lastIndexOf)))
	add("includes", member("list_includes_dyn_dyn", args(celgo.DynType, celgo.DynType), celgo.BoolType, celgo.BinaryBinding(includes)))
	return out
}

// each calls f for the elements of a list until it returns a value.
func each(list ref.Val, f func(ref.Val) ref.Val) ref.Val {
	l, ok := list.(traits.Iterable)
	if !ok {
		return types.MaybeNoSuchOverloadErr(list)
	}
	for it := l.Iterator(); it.HasNext() == types.True; {
		if v := f(it.Next()); v != nil {
			return v
		}
	}
	return nil
}

func isSorted(list ref.Val) ref.Val {
	var last traits.Comparer
	if v := each(list, func(e ref.Val) ref.Val {
		c, ok := e.(traits.Comparer)
		if !ok {
			return types.MaybeNoSuchOverloadErr(e)
		}
		if last != nil && last.Compare(e) == types.IntOne {
			return types.False
		}
		last = c
		return nil
	}); v != nil {
		return v
	}
	return types.True
}

func sum(zero ref.Val) func(ref.Val) ref.Val {
	return func(list ref.Val) ref.Val {
		total := zero
		if v := each(list, func(e ref.Val) ref.Val {
			total = total.(traits.Adder).Add(e)
			if _, ok := total.(traits.Adder); !ok {
				return types.MaybeNoSuchOverloadErr(total)
			}
			return nil
		}); v != nil {
			return v
		}
		return total
	}
}

// extreme finds the element that no other one beats; worse is how the best so far compares with a better one.
func extreme(name string, worse ref.Val) func(ref.Val) ref.Val {
	return func(list ref.Val) ref.Val {
		var best ref.Val
		if v := each(list, func(e ref.Val) ref.Val {
			if _, ok := e.(traits.Comparer); !ok {
				return types.MaybeNoSuchOverloadErr(e)
			}
			if best == nil || best.(traits.Comparer).Compare(e) == worse {
				best = e
			}
			return nil
		}); v != nil {
			return v
		}
		if best == nil {
			return types.NewErr("%s called on empty list", name)
		}
		return best
	}
}

func indexOf(list, item ref.Val) ref.Val {
	l, ok := list.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(list)
	}
	n, _ := l.Size().(types.Int)
	for i := types.Int(0); i < n; i++ {
		if l.Get(i).Equal(item) == types.True {
			return i
		}
	}
	return types.Int(-1)
}

func lastIndexOf(list, item ref.Val) ref.Val {
	l, ok := list.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(list)
	}
	n, _ := l.Size().(types.Int)
	for i := n - 1; i >= 0; i-- {
		if l.Get(i).Equal(item) == types.True {
			return i
		}
	}
	return types.Int(-1)
}

// includes is true for an element of a list, and for a value that equals what takes a list's place.
func includes(target, item ref.Val) ref.Val {
	l, ok := target.(traits.Lister)
	if !ok {
		return types.Bool(target.Equal(item) == types.True)
	}
	if v := each(l, func(e ref.Val) ref.Val {
		if e.Equal(item) == types.True {
			return types.True
		}
		return nil
	}); v != nil {
		return v
	}
	return types.False
}

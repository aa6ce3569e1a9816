package library

import (
	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// unary binds a function of one argument of a Go type.
func unary[A any](f func(A) ref.Val) celgo.OverloadOpt {
	return celgo.UnaryBinding(func(v ref.Val) ref.Val {
		a, ok := v.Value().(A)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		return f(a)
	})
}

// binary binds a function of two arguments of Go types.
func binary[A, B any](f func(A, B) ref.Val) celgo.OverloadOpt {
	return celgo.BinaryBinding(func(v, w ref.Val) ref.Val {
		a, ok := v.Value().(A)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		b, ok := w.Value().(B)
		if !ok {
			return types.MaybeNoSuchOverloadErr(w)
		}
		return f(a, b)
	})
}

// nullary binds a constant.
func nullary(v ref.Val) celgo.OverloadOpt {
	return decls.FunctionBinding(func(...ref.Val) ref.Val { return v })
}

// global and member declare the two forms of a function's overload.
func global(id string, args []*celgo.Type, result *celgo.Type, o celgo.OverloadOpt) celgo.FunctionOpt {
	return celgo.Overload(id, args, result, o)
}

func member(id string, args []*celgo.Type, result *celgo.Type, o celgo.OverloadOpt) celgo.FunctionOpt {
	return celgo.MemberOverload(id, args, result, o)
}

func args(t ...*celgo.Type) []*celgo.Type { return t }

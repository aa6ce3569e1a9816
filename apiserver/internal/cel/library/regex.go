package library

import (
	"regexp"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// regexLib adds find and findAll. Constant expressions are compiled with the program.
type regexLib struct{}

// LibraryName implements celgo.SingletonLibrary.
func (regexLib) LibraryName() string { return "kubernetes.regex" }

// CompileOptions implements celgo.Library.
func (regexLib) CompileOptions() []celgo.EnvOption {
	str := celgo.StringType
	return []celgo.EnvOption{
		celgo.Function("find", member("string_find_string", args(str, str), str, celgo.BinaryBinding(func(in, re ref.Val) ref.Val {
			return compiled(re, func(re *regexp.Regexp) ref.Val { return find(re, in) })
		}))),
		celgo.Function("findAll",
			member("string_find_all_string", args(str, str), celgo.ListType(str), celgo.BinaryBinding(func(in, re ref.Val) ref.Val {
				return compiled(re, func(re *regexp.Regexp) ref.Val { return findAll(re, in, types.Int(-1)) })
			})),
			member("string_find_all_string_int", args(str, str, celgo.IntType), celgo.ListType(str), celgo.FunctionBinding(func(a ...ref.Val) ref.Val {
				return compiled(a[1], func(re *regexp.Regexp) ref.Val { return findAll(re, a[0], a[2]) })
			})),
		),
	}
}

// ProgramOptions implements celgo.Library.
func (regexLib) ProgramOptions() []celgo.ProgramOption {
	return []celgo.ProgramOption{celgo.OptimizeRegex(
		precompiled("find", func(re *regexp.Regexp, a []ref.Val) ref.Val { return find(re, a[0]) }),
		precompiled("findAll", func(re *regexp.Regexp, a []ref.Val) ref.Val {
			if len(a) == 3 {
				return findAll(re, a[0], a[2])
			}
			return findAll(re, a[0], types.Int(-1))
		}),
	)}
}

func precompiled(function string, f func(re *regexp.Regexp, args []ref.Val) ref.Val) *interpreter.RegexOptimization {
	return &interpreter.RegexOptimization{
		Function: function, RegexIndex: 1,
		Factory: func(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
			re, err := regexp.Compile(pattern)
			if err != nil {
				return nil, err
			}
			return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), func(args ...ref.Val) ref.Val {
				if len(args) < 2 || len(args) > 3 {
					return types.NoSuchOverloadErr()
				}
				return f(re, args)
			}), nil
		},
	}
}

func compiled(pattern ref.Val, f func(*regexp.Regexp) ref.Val) ref.Val {
	s, ok := pattern.Value().(string)
	if !ok {
		return types.MaybeNoSuchOverloadErr(pattern)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return types.NewErr("Illegal regex: %v", err.Error())
	}
	return f(re)
}

func find(re *regexp.Regexp, in ref.Val) ref.Val {
	s, ok := in.Value().(string)
	if !ok {
		return types.MaybeNoSuchOverloadErr(in)
	}
	return types.String(re.FindString(s))
}

func findAll(re *regexp.Regexp, in, limit ref.Val) ref.Val {
	s, ok := in.Value().(string)
	if !ok {
		return types.MaybeNoSuchOverloadErr(in)
	}
	n, ok := limit.Value().(int64)
	if !ok {
		return types.MaybeNoSuchOverloadErr(limit)
	}
	return types.NewStringList(types.DefaultTypeAdapter, re.FindAllString(s, int(n)))
}

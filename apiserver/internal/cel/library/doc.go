// Package library holds the functions that Kubernetes adds to CEL: addresses, quantities, versions, URLs, regular
// expressions, list arithmetic, named formats, authorization checks, and what each of them costs.
//
// The costs are part of the API: a rule is accepted or refused by its estimated cost and stopped by its real one, thus
// they are Kubernetes' figures to the digit.
package library

import celgo "github.com/google/cel-go/cel"

// All returns every library that all expressions may use.
func All() []celgo.EnvOption {
	return libraries{
		lib("kubernetes.urls", urlFunctions()),
		regexLib{},
		lib("kubernetes.lists", listFunctions()),
		lib("kubernetes.quantity", quantityFunctions()),
		lib("kubernetes.net.ip", ipFunctions(), IPType),
		lib("kubernetes.net.cidr", cidrFunctions(), CIDRType),
		lib("kubernetes.format", formatFunctions()),
		lib("kubernetes.semver", semverFunctions()),
		lib("kubernetes.authz", authzFunctions()),
	}.options()
}

// JSONPatch returns the library that only expressions which make JSON patches may use.
func JSONPatch() celgo.EnvOption { return celgo.Lib(lib("kubernetes.jsonpatch", patchFunctions())) }

type libraries []celgo.Library

func (l libraries) options() []celgo.EnvOption {
	out := make([]celgo.EnvOption, len(l))
	for i := range l {
		out[i] = celgo.Lib(l[i])
	}
	return out
}

// functions are a library's overloads by function name.
type functions map[string][]celgo.FunctionOpt

// plain is a library without options for programs.
type plain struct {
	name  string
	decls functions
	types []any
}

func lib(name string, decls functions, types ...*celgo.Type) *plain {
	l := &plain{name: name, decls: decls}
	for _, t := range types {
		l.types = append(l.types, t)
	}
	return l
}

// LibraryName implements celgo.SingletonLibrary.
func (l *plain) LibraryName() string { return l.name }

// CompileOptions implements celgo.Library.
func (l *plain) CompileOptions() []celgo.EnvOption {
	var out []celgo.EnvOption
	if len(l.types) > 0 {
		out = append(out, celgo.Types(l.types...))
	}
	for name, overloads := range l.decls {
		out = append(out, celgo.Function(name, overloads...))
	}
	return out
}

// ProgramOptions implements celgo.Library.
func (l *plain) ProgramOptions() []celgo.ProgramOption { return nil }

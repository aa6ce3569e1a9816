package cel

import (
	"fmt"
	"sync"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/ext"
	"github.com/google/cel-go/interpreter"

	"github.com/keelson/keelson/apiserver/internal/cel/library"
)

// Environment is what expressions can name. It does not change.
type Environment struct {
	env   *celgo.Env
	size  func(path []string) *checker.SizeEstimate
	cache *cache
}

// Base returns the environment that every other one extends: CEL and all libraries, no variables.
var Base = sync.OnceValue(func() *Environment {
	options := []celgo.EnvOption{
		celgo.HomogeneousAggregateLiterals(), celgo.EagerlyValidateDeclarations(true), celgo.DefaultUTCTimeZone(true),
		celgo.CrossTypeNumericComparisons(true), celgo.OptionalTypes(),
		celgo.ASTValidators(celgo.ValidateDurationLiterals(), celgo.ValidateTimestampLiterals(), celgo.ValidateRegexLiterals(),
			celgo.ValidateHomogeneousAggregateLiterals()),
		celgo.ParserRecursionLimit(maxNesting),
		celgo.CostEstimatorOptions(checker.PresenceTestHasCost(false)),
		ext.Strings(ext.StringsVersion(2)), ext.Sets(), ext.TwoVarComprehensions(), ext.Lists(ext.ListsVersion(3)),
	}
	env, err := celgo.NewEnv(append(options, library.All()...)...)
	if err != nil {
		panic(fmt.Sprintf("cel: base environment: %v", err)) // the same at every start
	}
	return &Environment{env: env, cache: newCache()}
})

// Extend returns an environment with more declarations.
func (e *Environment) Extend(options ...celgo.EnvOption) (*Environment, error) {
	env, err := e.env.Extend(options...)
	if err != nil {
		return nil, err
	}
	return &Environment{env: env, size: e.size, cache: newCache()}, nil
}

// Variable declares a variable.
func Variable(name string, t *celgo.Type) celgo.EnvOption { return celgo.Variable(name, t) }

// CompileError tells why an expression cannot be used.
type CompileError struct {
	// Detail is the whole text, in Kubernetes' wording.
	Detail string
	// Issues are CEL's own; nil where the expression is fine but for the type of its result.
	Issues *celgo.Issues
}

// Error implements error.
func (e *CompileError) Error() string { return e.Detail }

// Compile checks an expression and makes a program of it. The result must be of one of the types; DynType among them
// takes only dyn, no types at all take anything.
func (e *Environment) Compile(expression string, results ...*celgo.Type) (*Program, error) {
	key := cacheKey(expression, results)
	if p, err, ok := e.cache.get(key); ok {
		return p, err
	}
	p, err := e.compile(expression, results)
	e.cache.put(key, p, err)
	return p, err
}

func (e *Environment) compile(expression string, results []*celgo.Type) (*Program, error) {
	checked, issues := e.env.Compile(expression)
	if issues != nil {
		return nil, &CompileError{Detail: "compilation failed: " + issues.String(), Issues: issues}
	}
	if problem := mismatch(checked.OutputType(), results); problem != "" {
		return nil, &CompileError{Detail: problem}
	}
	program, err := e.env.Program(checked,
		celgo.EvalOptions(celgo.OptOptimize, celgo.OptTrackCost), celgo.CostLimit(PerCall), celgo.CostTracking(library.Costs{}),
		celgo.CostTrackerOptions(interpreter.PresenceTestHasCost(false)), celgo.InterruptCheckFrequency(interruptEvery))
	if err != nil {
		return nil, &CompileError{Detail: "program instantiation failed: " + err.Error()}
	}
	p := &Program{Expression: expression, Type: checked.OutputType(), program: program, references: references(checked), loops: loops(checked)}
	if e.size != nil {
		estimate, err := e.env.EstimateCost(checked, library.Estimator{Size: e.size})
		if err != nil {
			return nil, &CompileError{Detail: "cost estimation failed: " + err.Error()}
		}
		p.Cost = estimate.Max
	}
	return p, nil
}

// mismatch words that a result is of none of the types wanted.
func mismatch(got *celgo.Type, want []*celgo.Type) string {
	for _, t := range want {
		if got.IsExactType(t) || celgo.AnyType.IsExactType(t) {
			return ""
		}
	}
	switch len(want) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("must evaluate to %v but got %v", want[0], got)
	}
	return fmt.Sprintf("must evaluate to one of %v but got %v", want, got)
}

// references are the variables that an expression names.
func references(checked *celgo.Ast) map[string]bool {
	out := map[string]bool{}
	for _, r := range checked.NativeRep().ReferenceMap() {
		if r.Name != "" {
			out[r.Name] = true
		}
	}
	return out
}

// loops tells whether an expression has a macro that goes through a list or map.
func loops(checked *celgo.Ast) bool {
	found := false
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.ComprehensionKind
	}))
	return found
}

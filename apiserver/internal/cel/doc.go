// Package cel compiles and runs the expressions of custom resources' rules and of admission policies, on cel-go with
// the functions of package library, within Kubernetes' limits of cost.
//
//	Base() ──Extend──► Environment ──Compile──► Program ──Eval(variables, Budget)──► value
//
// Values are JSON trees (map[string]any, []any, string, bool, int64, float64, nil). Without a schema they are dynamic:
// pass trees as they are, as variables of type dyn. With one, Typed declares it, so that expressions are checked when
// they are written, and Value wraps trees without copying them: lists of type map and set compare and add as such,
// times are timestamps, fields go by escaped names (Escape).
//
// For the rules of a custom resource:
//
//	typed, err := cel.NewTyped(root)           // once for each version; root is a Schema
//	rule, err := typed.Rule(node, true)        // for each schema node that has rules: declares self and oldSelf
//	p, err := rule.Compile("self.x > 0", cel.BoolType)
//	p.Cost                                     // estimated for one call; times Cardinality(node path) for an object
//	v, err := p.Eval(ctx, map[string]any{"self": cel.Value(tree, node)}, budget)
package cel

import (
	"errors"

	celgo "github.com/google/cel-go/cel"
)

// Limits of cost, in CEL's units.
const (
	// PerCall bounds one evaluation of one expression: about a tenth of a second.
	PerCall = 1_000_000
	// PerObject bounds all expressions of a custom resource, or of a policy with one binding.
	PerObject = 10_000_000
	// PerMatchConditions bounds the match conditions of a webhook or policy.
	PerMatchConditions = 2_500_000
	// EstimatedPerRule and EstimatedPerSchema bound what the rules of a schema may cost by estimate.
	EstimatedPerRule   = 10_000_000
	EstimatedPerSchema = 100_000_000
	// MaxMessageBytes is how long a message may be that an expression makes.
	MaxMessageBytes = 5 * 1024
	// maxNesting is how deep an expression may be nested: checking the types of nested lists takes time that grows with
	// its cube.
	maxNesting = 125
	// interruptEvery is after how many rounds of a loop the context is looked at.
	interruptEvery = 100
	// maxRequest is the size of the largest request, by which unbounded lists and strings are estimated.
	maxRequest = 3 << 20
)

// Types of results.
var (
	BoolType   = celgo.BoolType
	StringType = celgo.StringType
	NullType   = celgo.NullType
	DynType    = celgo.DynType
)

// ErrBudget is returned for the expression that used up the budget.
var ErrBudget = errors.New("validation failed due to running out of cost budget, no further validation rules will be run")

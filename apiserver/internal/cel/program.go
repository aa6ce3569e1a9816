package cel

import (
	"context"
	"errors"
	"fmt"
	"time"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types/ref"
)

// Program is a compiled expression; it may run many times at the same time.
type Program struct {
	// Expression is the text.
	Expression string
	// Type is that of the result.
	Type *celgo.Type
	// Cost is what one run may cost at most by estimate; 0 in environments without schema.
	Cost uint64

	program    celgo.Program
	references map[string]bool
	// loops tells whether the expression has any.
	loops bool
}

// Uses tells whether the expression names a variable.
func (p *Program) Uses(variable string) bool { return p.references[variable] }

// An evaluation that takes perCallTime is stopped, and has cost perCallTimeCost.
const (
	perCallTime     = time.Second
	perCallTimeCost = PerObject / 2
)

// Budget is what a set of expressions may cost together. It is used by one goroutine at a time.
type Budget struct{ left int64 }

// NewBudget returns a budget of so many units.
func NewBudget(units int64) *Budget { return &Budget{left: units} }

// Spend takes units away; false means that there are not as many left: the budget is used up then.
func (b *Budget) Spend(units uint64) bool {
	if units > uint64(max(b.left, 0)) {
		b.left = -1
		return false
	}
	b.left -= int64(units)
	return true
}

// Empty tells whether something has asked for more than there was.
func (b *Budget) Empty() bool { return b.left < 0 }

// Left is what remains.
func (b *Budget) Left() int64 { return max(b.left, 0) }

// Eval runs the program. vars is a map[string]any or an Activation. The error is ErrBudget, or CEL's own text: of a
// run that cost more than PerCall "operation cancelled: actual cost limit exceeded".
func (p *Program) Eval(ctx context.Context, vars any, b *Budget) (ref.Val, error) {
	if b.Empty() {
		return nil, ErrBudget
	}
	if p.loops {
		return p.bounded(ctx, vars, b)
	}
	return p.eval(ctx, vars, b)
}

// errTooLong is worded as what it stands for.
var errTooLong = errors.New("operation cancelled: actual cost limit exceeded")

// bounded runs an expression with loops for a limited time. Costs bound the steps, but CEL's own counting of them takes
// time that grows with the square of a loop's length.
func (p *Program) bounded(ctx context.Context, vars any, b *Budget) (ref.Val, error) {
	within, cancel := context.WithTimeoutCause(ctx, perCallTime, errTooLong)
	defer cancel()
	out, err := p.eval(within, vars, b)
	if err != nil && ctx.Err() == nil && context.Cause(within) == errTooLong { //nolint:errorlint // the cause itself
		b.Spend(perCallTimeCost)
		return nil, errTooLong
	}
	return out, err
}

func (p *Program) eval(ctx context.Context, vars any, b *Budget) (ref.Val, error) {
	out, details, err := p.program.ContextEval(ctx, vars)
	if details == nil || details.ActualCost() == nil {
		b.Spend(PerCall) // what cannot be told counts as the most that it can have been
		if err == nil {
			err = fmt.Errorf("runtime cost could not be calculated for expression: %s", p.Expression)
		}
		return nil, err
	}
	if !b.Spend(*details.ActualCost()) {
		return nil, ErrBudget
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Activation finds the values of variables.
type Activation = celgo.Activation

package expr

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/common/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"github.com/keelson/keelson/apiserver/internal/cel"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
)

// Conditions are a hook's match conditions.
type Conditions []*cel.Program

// CompileConditions compiles match conditions; errors come one for each condition, nil for those that are fine.
func (c *Compiler) CompileConditions(list []*v1.MatchCondition) (out Conditions, errs []error) {
	for _, m := range list {
		p, err := c.Compile(m.Expression, cel.BoolType)
		out, errs = append(out, p), append(errs, err)
	}
	return out, errs
}

// Hold tells whether all conditions are true. One that is false decides, whatever is wrong with others.
func (c Conditions) Hold(r *Run) (bool, error) {
	var errs []error
	for _, p := range c {
		v, err := r.Eval(p)
		switch {
		case errors.Is(err, cel.ErrBudget):
			return false, err
		case err != nil:
			errs = append(errs, fmt.Errorf("expression '%v' resulted in error: %w", p.Expression, err))
		case v != types.True:
			return false, nil
		}
	}
	if len(errs) > 0 {
		return false, utilerrors.NewAggregate(errs)
	}
	return true, nil
}

package cel

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

// FuzzExpression compiles and runs anything: nothing may crash, and nothing may cost more than an expression is allowed
// by more than its last step.
func FuzzExpression(f *testing.F) {
	golden, err := os.ReadFile("testdata/expressions.golden")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		expression, _, _ := strings.Cut(line, "\t")
		f.Add(expression)
	}
	f.Add("self.spec.map.all(a, self.spec.map.all(b, self.spec.map.all(c, a == b && b == c)))")
	f.Add("self.spec.set.map(x, self.spec.set.map(y, x + y)).size() > 0")
	f.Add(strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300))
	f.Add(strings.Repeat("[", 240) + strings.Repeat("]", 240))
	f.Add("'" + strings.Repeat("a", 1000) + "'.matches('(a+)+$')")
	typed, err := NewTyped(sample)
	if err != nil {
		f.Fatal(err)
	}
	env, err := typed.Rule(sample, false)
	if err != nil {
		f.Fatal(err)
	}
	vars := map[string]any{"self": Value(tree(), sample), "oldSelf": Value(tree(), sample)}
	f.Fuzz(func(t *testing.T, expression string) {
		p, err := env.Compile(expression)
		if err != nil {
			return
		}
		budget := NewBudget(PerObject)
		if _, err := p.Eval(context.Background(), vars, budget); errors.Is(err, errTooLong) {
			return
		}
		// One step's cost is only known when it is done: strings made by it are bounded by what made them.
		if spent := PerObject - budget.Left(); spent > 2*PerCall {
			t.Errorf("%q cost %d", expression, spent)
		}
	})
}

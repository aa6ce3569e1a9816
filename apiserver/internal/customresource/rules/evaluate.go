package rules

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	celgo "github.com/google/cel-go/common/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/apiserver/internal/cel"
	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
)

// History is what an update knows of the values before it.
type History interface {
	// Old is the value before.
	Old() any
	// Same tells that the value has not changed: what was wrong with it before is not refused now.
	Same() bool
	// Field and Item return the history of a part; nil where there was none.
	Field(name string) History
	Item(i int) History
}

// Check evaluates the rules on a whole object. history is nil on create.
func (s *Set) Check(ctx context.Context, obj map[string]any, history History) field.ErrorList {
	if s.Empty() {
		return nil
	}
	e := evaluator{ctx: ctx, budget: cel.NewBudget(cel.PerObject)}
	e.node(s.root, obj, history, nil, false)
	return e.errs
}

// CheckStatus evaluates those rules that look at the status: of the root and below status.
func (s *Set) CheckStatus(ctx context.Context, obj map[string]any, history History) field.ErrorList {
	if s.Empty() {
		return nil
	}
	e := evaluator{ctx: ctx, budget: cel.NewBudget(cel.PerObject)}
	root := &node{schema: s.root.schema, typed: s.root.typed, rules: s.root.rules, fields: map[string]*node{}}
	if status := s.root.fields["status"]; status != nil {
		root.fields["status"] = status
	}
	e.node(root, obj, history, nil, false)
	return e.errs
}

type evaluator struct {
	ctx    context.Context
	budget *cel.Budget
	errs   field.ErrorList
	over   bool
}

func (e *evaluator) add(err *field.Error) { e.errs = append(e.errs, err) }

// node evaluates the rules of a place and of those below. spared tells that a value above has not changed.
func (e *evaluator) node(n *node, v any, h History, at *field.Path, spared bool) {
	if n == nil || v == nil || e.over {
		return
	}
	spared = spared || h != nil && h.Same()
	for i := range n.rules {
		e.rule(n, &n.rules[i], v, h, at, spared)
		if e.over {
			return
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range names(n.fields) {
			if below, ok := v[name]; ok {
				e.node(n.fields[name], below, part(h, name), at.Child(name), spared)
			}
		}
		if n.additional != nil {
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if n.schema.Properties[name] == nil {
					e.node(n.additional, v[name], part(h, name), at.Key(name), spared)
				}
			}
		}
	case []any:
		if n.items == nil {
			return
		}
		for i := range v {
			var below History
			if h != nil {
				below = h.Item(i)
			}
			e.node(n.items, v[i], below, at.Index(i), spared)
		}
	}
}

func part(h History, name string) History {
	if h == nil {
		return nil
	}
	return h.Field(name)
}

func (e *evaluator) rule(n *node, r *rule, v any, h History, at *field.Path, spared bool) {
	var old any
	if h != nil {
		old = h.Old()
	}
	if r.old && old == nil && !r.optional {
		return
	}
	if e.budget.Empty() {
		e.over = true
		e.add(field.Invalid(at, n.schema.Type, cel.ErrBudget.Error()))
		return
	}
	vars := map[string]any{"self": cel.Value(v, n.typed)}
	switch {
	case r.optional:
		vars["oldSelf"] = cel.Optional(old, n.typed)
	case old != nil:
		vars["oldSelf"] = cel.Value(old, n.typed)
	}
	result, err := r.program.Eval(e.ctx, vars, e.budget)
	if err != nil {
		e.failed(n, r, err, at)
		return
	}
	if result == celgo.True {
		return
	}
	here := appendPath(at, r.path)
	message := e.message(n, r, vars, here)
	if e.over || spared && !r.old {
		return
	}
	e.add(refusal(r, here, v, n.schema, message))
}

// failed words the error of an evaluation.
func (e *evaluator) failed(n *node, r *rule, err error, at *field.Path) {
	text := err.Error()
	switch {
	case err == cel.ErrBudget:
		e.over = true
		e.add(field.Invalid(at, n.schema.Type, text))
	case strings.HasPrefix(text, "no such overload"):
		e.add(field.Invalid(at, n.schema.Type, fmt.Sprintf("'%v': call arguments did not match a supported operator, function or macro signature for rule: %v", text, ruleText(r))))
	case strings.HasPrefix(text, "operation cancelled: actual cost limit exceeded"):
		e.over = true
		e.add(field.Invalid(at, n.schema.Type, fmt.Sprintf("'%v': no further validation rules will be run due to call cost exceeds limit for rule: %v", text, ruleText(r))))
	default:
		e.add(field.Invalid(at, n.schema.Type, fmt.Sprintf("%v evaluating rule: %v", text, ruleText(r))))
	}
}

func ruleText(r *rule) string {
	if m := strings.TrimSpace(r.source.GetMessage()); m != "" {
		return m
	}
	return strings.TrimSpace(r.source.GetRule())
}

// message is what a refusal says: of the expression where it gives something usable, else the fixed one, else the rule.
func (e *evaluator) message(n *node, r *rule, vars map[string]any, at *field.Path) string {
	if r.message != nil {
		v, err := r.message.Eval(e.ctx, vars, e.budget)
		switch {
		case err == cel.ErrBudget:
			e.over = true
			e.add(field.Invalid(at, n.schema.Type, "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run"))
			return ""
		case err == nil:
			text, _ := v.Value().(string)
			text = strings.TrimSpace(text)
			if text != "" && len(text) <= cel.MaxMessageBytes && !strings.Contains(text, "\n") {
				return text
			}
		}
	}
	if m := strings.TrimSpace(r.source.GetMessage()); m != "" {
		return m
	}
	return "failed rule: " + strings.TrimSpace(r.source.GetRule())
}

func refusal(r *rule, at *field.Path, v any, s *structural.Schema, message string) *field.Error {
	if s.Type == "object" || s.Type == "array" {
		v = field.OmitValueType{}
	}
	switch r.source.GetReason() {
	case "FieldValueForbidden":
		return field.Forbidden(at, message)
	case "FieldValueRequired":
		return field.Required(at, message)
	case "FieldValueDuplicate":
		return field.Duplicate(at, v)
	}
	return field.Invalid(at, v, message)
}

// CheckValue evaluates the rules on a value of the schema at a path.
func (s *Set) CheckValue(ctx context.Context, value any, at *field.Path) field.ErrorList {
	if s.Empty() {
		return nil
	}
	e := evaluator{ctx: ctx, budget: cel.NewBudget(cel.PerObject)}
	e.node(s.root, value, nil, at, false)
	return e.errs
}

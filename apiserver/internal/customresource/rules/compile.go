package rules

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/apiserver/internal/cel"
	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

// mostExpensive is how many expressions are named where all together cost too much.
const mostExpensive = 4

// Set are the rules of one version of a kind.
type Set struct{ root *node }

// Empty tells that there are none.
func (s *Set) Empty() bool { return s == nil || s.root.empty() }

// Compile compiles the rules of a schema, which must be structural. The errors are those of a definition that says so, at is where in it the
// schema stands; the set has what could be compiled.
func Compile(s *structural.Schema, at *field.Path) (*Set, field.ErrorList) {
	if s == nil || !hasRules(s) {
		return &Set{}, nil
	}
	c := &compiler{nodes: map[*structural.Schema]*cel.Schema{}}
	root := celSchema(s, c.nodes).WithMeta()
	c.nodes[s] = root
	var err error
	if c.typed, err = cel.NewTyped(root); err != nil {
		return &Set{}, field.ErrorList{field.InternalError(at.Child("x-kubernetes-validations"), err)}
	}
	out := &Set{root: c.node(s, at, 1, nil)}
	if c.total > cel.EstimatedPerSchema {
		slices.SortStableFunc(c.costs, func(a, b cost) int {
			if a.units > b.units {
				return -1
			}
			return 1
		})
		for _, e := range c.costs[:min(len(c.costs), mostExpensive)] {
			if e.units < cel.EstimatedPerSchema/100 {
				break
			}
			c.add(field.Forbidden(e.at, "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"))
		}
		c.add(field.Forbidden(at, excess("x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema", c.total, cel.EstimatedPerSchema)))
	}
	return out, c.errs
}

func hasRules(s *structural.Schema) bool {
	if s == nil {
		return false
	}
	if len(s.Props.GetXKubernetesValidations()) > 0 || hasRules(s.Items) || hasRules(s.Additional) {
		return true
	}
	for _, sub := range s.Properties {
		if hasRules(sub) {
			return true
		}
	}
	return false
}

type compiler struct {
	nodes map[*structural.Schema]*cel.Schema
	typed *cel.Typed
	errs  field.ErrorList
	total uint64
	costs []cost
}

type cost struct {
	at    *field.Path
	units uint64
}

func (c *compiler) add(e *field.Error) { c.errs = append(c.errs, e) }

// node compiles a place and those below. times is how often it can occur; lost is the place above it from which on old
// and new values cannot be told to belong together.
func (c *compiler) node(s *structural.Schema, at *field.Path, times uint64, lost *field.Path) *node {
	if s == nil || !hasRules(s) {
		return nil
	}
	n := &node{schema: s, typed: c.nodes[s]}
	for i, r := range s.Props.GetXKubernetesValidations() {
		if compiled, ok := c.rule(n, r, at.Child("x-kubernetes-validations").Index(i), times, lost); ok {
			n.rules = append(n.rules, compiled)
		}
	}
	below := c.typed.Cardinality(n.typed, times)
	if sub := c.node(s.Additional, at.Child("additionalProperties"), below, lost); !sub.empty() {
		n.additional = sub
	}
	inItems := lost
	if inItems == nil && s.ListType != "map" {
		inItems = at
	}
	if sub := c.node(s.Items, at.Child("items"), below, inItems); !sub.empty() {
		n.items = sub
	}
	inFields := lost
	if inFields == nil && s.MapType == "atomic" {
		inFields = at
	}
	for _, name := range s.Names {
		if sub := c.node(s.Properties[name], at.Child("properties").Key(name), times, inFields); !sub.empty() {
			if n.fields == nil {
				n.fields = map[string]*node{}
			}
			n.fields[name] = sub
		}
	}
	return n
}

func (c *compiler) rule(n *node, r *apiextensionsv1.ValidationRule, at *field.Path, times uint64, lost *field.Path) (rule, bool) {
	out := rule{source: r, optional: r.GetOptionalOldSelf()}
	if strings.TrimSpace(r.GetRule()) == "" {
		return out, false
	}
	env, err := c.typed.Rule(n.typed, out.optional)
	if err != nil {
		c.add(field.Invalid(at.Child("rule"), shown(r), err.Error()))
		return out, false
	}
	if out.program, err = env.Compile(r.GetRule(), cel.BoolType); err != nil {
		c.add(field.Invalid(at.Child("rule"), shown(r), detail(err, "cel expression must evaluate to a bool")))
		return out, false
	}
	c.price(out.program.Cost, times, at.Child("rule"), "estimated rule cost")
	out.old = out.program.Uses("oldSelf")
	switch {
	case out.old && lost != nil:
		c.add(field.Invalid(at.Child("rule"), r.GetRule(), fmt.Sprintf("oldSelf cannot be used on the uncorrelatable portion of the schema within %v", lost)))
	case !out.old && r.OptionalOldSelf != nil:
		c.add(field.Invalid(at.Child("optionalOldSelf"), r.GetOptionalOldSelf(), "may not be set if oldSelf is not used in rule"))
	}
	if text := r.GetMessageExpression(); strings.TrimSpace(text) != "" {
		if out.message, err = env.Compile(text, cel.StringType); err != nil {
			c.add(field.Invalid(at.Child("messageExpression"), shown(r), "messageExpression "+detail(err, "must evaluate to a string")))
		} else {
			c.price(out.message.Cost, times, at.Child("messageExpression"), "estimated messageExpression cost")
		}
	}
	if r.GetFieldPath() != "" {
		if out.path, _, err = ParsePath(strings.TrimSpace(r.GetFieldPath()), n.schema, true); err != nil {
			out.path = nil // the definition's own checks have said so
		}
	}
	return out, true
}

// price counts what an expression can cost in the worst object.
func (c *compiler) price(once, times uint64, at *field.Path, what string) {
	units := once * times
	if once != 0 && units/once != times {
		units = math.MaxUint64
	}
	if units > cel.EstimatedPerRule {
		c.add(field.Forbidden(at, excess(what, units, cel.EstimatedPerRule)))
	}
	if c.total+units < c.total {
		c.total = math.MaxUint64
	} else {
		c.total += units
	}
	c.costs = append(c.costs, cost{at, units})
}

// excess words by how much a limit is exceeded.
func excess(what string, units, limit uint64) string {
	times := float64(units) / float64(limit)
	factor := fmt.Sprintf("%.1fx", times)
	switch {
	case times > 100:
		factor = "more than 100x"
	case times < 1.5:
		factor = fmt.Sprintf("%fx", times)
	}
	return what + " exceeds budget by factor of " + factor +
		" (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
}

// detail says why an expression was not compiled; mismatch where its type is the reason.
func detail(err error, mismatch string) string {
	var compile *cel.CompileError
	if !errors.As(err, &compile) {
		return err.Error()
	}
	if compile.Issues == nil && strings.HasPrefix(compile.Detail, "must evaluate to ") {
		return mismatch
	}
	return compile.Detail
}

// shown is a rule as errors show it: with all of its fields, under the names that they have within Kubernetes' server.
func shown(r *apiextensionsv1.ValidationRule) any {
	return struct {
		Rule, Message, MessageExpression string
		Reason                           *string
		FieldPath                        string
		OptionalOldSelf                  *bool
	}{r.GetRule(), r.GetMessage(), r.GetMessageExpression(), r.Reason, r.GetFieldPath(), r.OptionalOldSelf}
}

func enumValue(j *apiextensionsv1.JSON) any {
	v, err := codec.ParseTree(j.GetRaw())
	if err != nil {
		return nil
	}
	return v
}

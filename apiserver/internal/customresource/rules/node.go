// Package rules compiles the CEL rules of a schema (x-kubernetes-validations) and evaluates them on objects.
package rules

import (
	"maps"
	"slices"

	"github.com/keelson/keelson/apiserver/internal/cel"
	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

// celSchema makes the schema that expressions are checked by, and remembers whose node is whose.
func celSchema(s *structural.Schema, of map[*structural.Schema]*cel.Schema) *cel.Schema {
	if s == nil {
		return nil
	}
	out := &cel.Schema{
		Type: s.Type, Format: s.Props.GetFormat(), ListType: s.ListType, ListMapKeys: s.ListMapKeys, Nullable: s.Nullable,
		IntOrString: s.IntOrString, PreserveUnknown: s.PreserveUnknown, Embedded: s.Embedded, Required: s.Props.GetRequired(),
		HasDefault: s.HasDefault, MaxLength: s.Props.MaxLength, MaxItems: s.Props.MaxItems, MaxProperties: s.Props.MaxProperties,
		Items: celSchema(s.Items, of), Additional: celSchema(s.Additional, of),
	}
	for _, e := range s.Props.GetEnum() {
		out.Enum = append(out.Enum, enumValue(e))
	}
	if len(s.Properties) > 0 {
		out.Properties = make(map[string]*cel.Schema, len(s.Properties))
		for name, sub := range s.Properties {
			out.Properties[name] = celSchema(sub, of)
		}
	}
	of[s] = out
	return out
}

// Describe returns what expressions know of a schema; nil where there is none.
func Describe(s *structural.Schema) *cel.Schema {
	return celSchema(s, map[*structural.Schema]*cel.Schema{})
}

// node is a place in a schema with rules, or on the way to such.
type node struct {
	schema *structural.Schema
	typed  *cel.Schema
	rules  []rule
	// fields, additional and items lead to nodes with rules; nil where there are none.
	fields     map[string]*node
	additional *node
	items      *node
}

// rule is one compiled rule.
type rule struct {
	source  *apiextensionsv1.ValidationRule
	program *cel.Program
	message *cel.Program
	// old tells that the rule looks at the value before: it does not run where there is none.
	old bool
	// optional makes the value before an optional, so that the rule runs always.
	optional bool
	path     []segment
}

func (n *node) empty() bool {
	return n == nil || len(n.rules) == 0 && len(n.fields) == 0 && n.additional == nil && n.items == nil
}

func names(m map[string]*node) []string { return slices.Sorted(maps.Keys(m)) }

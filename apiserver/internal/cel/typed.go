package cel

import (
	"fmt"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// Typed holds the types of a schema and of all inside it.
type Typed struct {
	declarer declarer
	root     *Schema
	base     *Environment
}

// NewTyped declares a schema; root should be WithMeta where it is that of a whole object.
func NewTyped(root *Schema) (*Typed, error) { return newTyped(root, "selfType", false) }

// NewNamed is NewTyped for a root whose type has a name of its own in error messages, and fields that go by their own
// names.
func NewNamed(root *Schema, name string) (*Typed, error) { return newTyped(root, name, true) }

func newTyped(root *Schema, name string, raw bool) (*Typed, error) {
	t := &Typed{root: root, declarer: declarer{raw: raw, objects: map[string]*declaration{}, bySchema: map[*Schema]*declaration{}}}
	t.declarer.declare(root, name)
	env, err := Base().env.Extend(func(e *celgo.Env) (*celgo.Env, error) {
		return celgo.CustomTypeProvider(&provider{Provider: e.CELTypeProvider(), objects: t.declarer.objects})(e)
	})
	if err != nil {
		return nil, err
	}
	t.base = &Environment{env: env}
	return t, nil
}

// Declared tells whether expressions can look into a schema that is the root or inside it.
func (t *Typed) Declared(s *Schema) bool { return t.declarer.bySchema[s] != nil }

// Rule returns the environment of the rules of one node: self is its value, oldSelf the one before, an optional where
// optionalOld is set. The node must be the root or inside it, and Declared.
func (t *Typed) Rule(node *Schema, optionalOld bool) (*Environment, error) {
	d := t.declarer.bySchema[node]
	if d == nil {
		return nil, fmt.Errorf("schema of type %q cannot be used in expressions", node.Type)
	}
	old := d.typ
	if optionalOld {
		old = types.NewOptionalType(old)
	}
	env, err := t.base.env.Extend(celgo.Variable("self", d.typ), celgo.Variable("oldSelf", old))
	if err != nil {
		return nil, err
	}
	return &Environment{env: env, cache: newCache(), size: sizes(d)}, nil
}

// Object returns an environment over e in which variables have the type of the root.
func (t *Typed) Object(e *Environment, variables ...string) (*Environment, error) {
	d := t.declarer.bySchema[t.root]
	if d == nil {
		return nil, fmt.Errorf("schema of type %q cannot be used in expressions", t.root.Type)
	}
	options := []celgo.EnvOption{func(e *celgo.Env) (*celgo.Env, error) {
		return celgo.CustomTypeProvider(&provider{Provider: e.CELTypeProvider(), objects: t.declarer.objects})(e)
	}}
	for _, name := range variables {
		options = append(options, celgo.Variable(name, d.typ))
	}
	return e.Extend(options...)
}

// sizes estimates the parts of self and oldSelf.
func sizes(root *declaration) func([]string) *checker.SizeEstimate {
	return func(path []string) *checker.SizeEstimate {
		if path[0] != "self" && path[0] != "oldSelf" {
			return nil
		}
		at := root
		for _, step := range path[1:] {
			switch step {
			case "@items", "@values":
				if at.items != nil {
					at = at.items
				} else {
					at = at.values
				}
			case "@keys":
				at = &declaration{typ: celgo.StringType, most: maxRequest - 2}
			default:
				switch {
				case at.fields != nil:
					at = at.fields[step]
				case at.values != nil:
					at = at.values
				default:
					at = nil
				}
			}
			if at == nil {
				return nil
			}
		}
		return &checker.SizeEstimate{Max: uint64(max(at.most, 0))}
	}
}

// Cardinality is how many times a node can occur below a parent that itself occurs so many times: the lists and maps
// on the way multiply.
func (t *Typed) Cardinality(parent *Schema, times uint64) uint64 {
	d := t.declarer.bySchema[parent]
	if d == nil || d.items == nil && d.values == nil {
		return times
	}
	most := uint64(max(d.most, 0))
	if times == 0 || most == 0 {
		return 0
	}
	if product := times * most; product/times == most {
		return product
	}
	return ^uint64(0)
}

// provider adds the schema's objects to the types that expressions know.
type provider struct {
	types.Provider
	objects map[string]*declaration
}

// FindStructType implements types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if d, ok := p.objects[name]; ok {
		return types.NewTypeTypeWithParam(d.typ), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	d, ok := p.objects[name]
	if !ok {
		return p.Provider.FindStructFieldNames(name)
	}
	names := make([]string, 0, len(d.fields))
	for f := range d.fields {
		names = append(names, f)
	}
	return names, true
}

// FindStructFieldType implements types.Provider.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	d, ok := p.objects[name]
	if !ok {
		return p.Provider.FindStructFieldType(name, field)
	}
	f, ok := d.fields[field]
	if !ok {
		return nil, false
	}
	return &types.FieldType{Type: f.typ}, true
}

// NewValue implements types.Provider: rules look at values, they do not make any.
func (p *provider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := p.objects[name]; ok {
		return types.NewErr("objects of type %s cannot be created", name)
	}
	return p.Provider.NewValue(name, fields)
}

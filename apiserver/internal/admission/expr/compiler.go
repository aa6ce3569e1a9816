package expr

import (
	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"

	"github.com/keelson/keelson/apiserver/internal/cel"
)

// Options say what the expressions of a policy or webhook can name beside the request and its objects.
type Options struct {
	// Params are the policy's parameters.
	Params bool
	// Patches are the types by which mutations are written.
	Patches bool
}

// Compiler compiles the expressions of one policy or webhook, its variables first.
type Compiler struct {
	// full has the authorizer, bare has not.
	full, bare *cel.Environment
	fields     map[string]*types.FieldType
	variables  map[string]*cel.Program
}

// NewCompiler returns a compiler without variables.
func NewCompiler(o Options) (*Compiler, error) {
	c := &Compiler{fields: map[string]*types.FieldType{}, variables: map[string]*cel.Program{}}
	var err error
	if c.full, err = c.environment(key{params: o.Params, authorizer: true, patches: o.Patches}); err == nil {
		c.bare, err = c.environment(key{params: o.Params, patches: o.Patches})
	}
	return c, err
}

func (c *Compiler) environment(k key) (*cel.Environment, error) {
	e, err := base(k)
	if err != nil {
		return nil, err
	}
	return c.withVariables(e)
}

func (c *Compiler) withVariables(e *cel.Environment) (*cel.Environment, error) {
	return e.Extend(func(e *celgo.Env) (*celgo.Env, error) {
		return celgo.CustomTypeProvider(&declared{e.CELTypeProvider(), c.fields})(e)
	}, cel.Variable("variables", celgo.ObjectType(variablesType)))
}

// Variable adds a variable, which the expressions compiled later can use. One that is wrong can be used too, as dyn, so
// that those get no errors of their own.
func (c *Compiler) Variable(name, expression string) error {
	p, err := c.full.Compile(expression)
	if err != nil {
		c.fields[name] = &types.FieldType{Type: types.DynType}
		return err
	}
	c.fields[name] = &types.FieldType{Type: p.Type}
	c.variables[name] = p
	return nil
}

// Compile compiles an expression that may ask the authorizer.
func (c *Compiler) Compile(expression string, results ...*celgo.Type) (*cel.Program, error) {
	return c.full.Compile(expression, results...)
}

// CompileText compiles one that may not: those that only make texts.
func (c *Compiler) CompileText(expression string, results ...*celgo.Type) (*cel.Program, error) {
	return c.bare.Compile(expression, results...)
}

// Variables are the programs of the variables by name.
func (c *Compiler) Variables() map[string]*cel.Program { return c.variables }

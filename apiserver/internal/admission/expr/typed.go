package expr

import (
	"github.com/google/cel-go/common/types"

	"github.com/keelson/keelson/apiserver/internal/cel"
)

// NewTypedCompiler returns a compiler to which object and oldObject have a type, to check by it what would otherwise
// only fail when it runs. Its programs are not to be run.
func NewTypedCompiler(o Options, name string, object *cel.Schema) (*Compiler, error) {
	c, err := NewCompiler(o)
	if err != nil {
		return nil, err
	}
	typed, err := cel.NewNamed(object.WithMeta(), name)
	if err != nil {
		return nil, err
	}
	c.fields = map[string]*types.FieldType{}
	full, err := newBase(key{params: o.Params, authorizer: true, patches: o.Patches, noObject: true})
	if err == nil {
		full, err = typed.Object(full, "object", "oldObject")
	}
	if err == nil {
		c.full, err = c.withVariables(full)
	}
	return c, err
}

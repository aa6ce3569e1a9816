package policy

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/keelson/keelson/apiserver/internal/admission/expr"
	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/apiserver/internal/cel"
	"github.com/keelson/keelson/proto/codec"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/apply"
	"github.com/keelson/keelson/proto/schema/merge"
)

// mutating is a compiled MutatingAdmissionPolicy.
type mutating struct {
	subject
	mutations []mutation
	// reinvoke asks for the policy again where the object has changed since.
	reinvoke bool
}

// mutation is an expression that makes an apply configuration, or with json set a list of JSON patch operations.
type mutation struct {
	program *cel.Program
	json    bool
}

func compileMutating(name string, s *v1.MutatingAdmissionPolicySpec) *mutating {
	out := &mutating{reinvoke: s.GetReinvocationPolicy() == "IfNeeded"}
	var c *expr.Compiler
	if out.subject, c = compileSubject(name, s, true); c == nil {
		return out
	}
	for _, m := range s.GetMutations() {
		one, err := compileMutation(c, m)
		out.fail(err)
		out.mutations = append(out.mutations, one)
	}
	return out
}

func compileMutation(c *expr.Compiler, m *v1.Mutation) (out mutation, err error) {
	if out.json = m.PatchType == "JSONPatch"; out.json {
		out.program, err = c.Compile(m.GetJsonPatch().GetExpression(), expr.PatchesType)
	} else {
		out.program, err = c.Compile(m.GetApplyConfiguration().GetExpression(), expr.ObjectType)
	}
	return out, err
}

// apply evaluates the mutation and changes the object.
func (m mutation) apply(ctx context.Context, s *hook.Subject, authorizer pipeline.Authorizer, p *subject, i invocation) error {
	in, err := expr.NewInput(ctx, s, i.kind, authorizer)
	if err != nil {
		return err
	}
	value, err := in.NewRun(ctx, p.variables, i.params, cel.NewBudget(cel.PerObject)).Eval(m.program)
	if errors.Is(err, cel.ErrBudget) {
		return err
	} else if err != nil {
		return fmt.Errorf("expression '%v' resulted in error: %w", m.program.Expression, err)
	}
	trees, err := s.Trees(ctx, i.kind)
	if err != nil {
		return err
	}
	var next map[string]any
	if m.json {
		var passed bool
		if next, passed, err = patchJSON(trees.Object, value); err == nil && !passed {
			return nil // a test that fails says that there is nothing to do
		}
	} else {
		next, err = patchApply(s, i.kind, trees.Object, value)
	}
	if err != nil {
		return err
	}
	return s.SetObject(ctx, next, i.kind)
}

// patchApply merges an apply configuration.
func patchApply(s *hook.Subject, k *schema.Kind, object map[string]any, value ref.Val) (map[string]any, error) {
	if err := expr.CheckNames(value); err != nil {
		return nil, fmt.Errorf("type mismatch: %w", err)
	}
	tree, err := expr.Tree(value)
	if err != nil {
		return nil, err
	}
	config, ok := tree.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("invalid return type: %T", tree)
	}
	if s.R.ObjectKind != s.R.Kind {
		k = s.R.ObjectKind
	}
	config["apiVersion"], config["kind"] = object["apiVersion"], object["kind"]
	out, err := apply.Merge(k, object, config)
	if err != nil {
		return nil, fmt.Errorf("error applying patch: %w", err)
	}
	return out, nil
}

// patchJSON applies operations; passed is false where a test failed.
func patchJSON(object map[string]any, value ref.Val) (out map[string]any, passed bool, err error) {
	list, ok := value.(traits.Lister)
	if !ok {
		return nil, false, errors.New("type mismatch: JSONPatchType.expression should evaluate to array")
	}
	var operations []any
	for it := list.Iterator(); it.HasNext() == types.True; {
		op, err := operation(it.Next())
		if err != nil {
			return nil, false, err
		}
		operations = append(operations, op)
	}
	patch, err := codec.AppendTree(nil, operations)
	if err != nil {
		return nil, false, err
	}
	if operations == nil {
		return object, true, nil
	}
	if out, passed, err = merge.Tested(object, patch); err != nil {
		return nil, false, fmt.Errorf("JSON Patch: %v", err) //nolint:errorlint // not a status of the API
	}
	return out, passed, nil
}

// operation is the JSON of one JSONPatch{...}.
func operation(v ref.Val) (map[string]any, error) {
	m, ok := v.(traits.Mapper)
	if !ok {
		return nil, fmt.Errorf("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch, got element of %s", v.Type().TypeName())
	}
	if value, has := m.Find(types.String("value")); has {
		if err := expr.CheckNames(value); err != nil {
			return nil, fmt.Errorf("type mismatch: %w", err)
		}
	}
	tree, err := expr.Tree(v)
	if err != nil {
		return nil, fmt.Errorf("JSONPath valueExpression evaluated to a type that could not marshal to JSON: %w", err)
	}
	out, ok := tree.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch, got %T", tree)
	}
	return out, nil
}

package expr

import (
	"context"
	"maps"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/apiserver/internal/cel"
	"github.com/keelson/keelson/apiserver/internal/cel/library"
	"github.com/keelson/keelson/proto/codec"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/schema"
)

// Input is a request in one version of its kind, ready for expressions.
type Input struct {
	vars map[string]any
}

// NewInput shows a request to expressions. A nil authorizer allows everything.
func NewInput(ctx context.Context, s *hook.Subject, k *schema.Kind, authorizer pipeline.Authorizer) (*Input, error) {
	trees, err := s.Trees(ctx, k)
	if err != nil {
		return nil, err
	}
	request, err := Request(s, k)
	if err != nil {
		return nil, err
	}
	namespace, err := s.NamespaceObject(ctx)
	if err != nil {
		return nil, err
	}
	in := &Input{vars: map[string]any{
		"object": tree(trees.Object), "oldObject": tree(trees.Old), "request": cel.Value(request, requestType), "namespaceObject": types.NullValue,
	}}
	if namespace != nil {
		t, err := codec.ToTree(namespace)
		if err != nil {
			return nil, err
		}
		in.vars["namespaceObject"] = cel.Value(t, namespaceType)
	}
	ask := answers(authorizer)
	in.vars["authorizer"] = library.Authorizer(ctx, s.R.User, ask)
	in.vars["authorizer.requestResource"] = library.ResourceAuthorizer(ctx, library.Question{
		User: s.R.User, Group: s.R.Kind.Group, Resource: s.R.Kind.Plural, Subresource: s.R.Subresource, Namespace: s.Namespace(), Name: s.Name(),
	}, ask)
	return in, nil
}

// tree makes a nil map null.
func tree(t map[string]any) any {
	if t == nil {
		return types.NullValue
	}
	return t
}

// answers asks the pipeline's authorizer.
func answers(a pipeline.Authorizer) library.Ask {
	return func(ctx context.Context, q library.Question) (bool, string, error) {
		if a == nil {
			return true, "", nil
		}
		d, reason, err := a.Authorize(ctx, pipeline.Attributes{
			User: q.User, Verb: q.Verb, Path: q.Path, Group: q.Group, Version: q.Version, Resource: q.Resource, Subresource: q.Subresource,
			Namespace: q.Namespace, Name: q.Name, FieldSelector: q.FieldSelector, LabelSelector: q.LabelSelector,
		})
		return d == pipeline.Allow, reason, err
	}
}

// Request is the JSON tree of a request as Kubernetes' AdmissionRequest has it, without uid and objects, for a hook that
// wants it in the version of a kind.
func Request(s *hook.Subject, k *schema.Kind) (map[string]any, error) {
	r := s.R
	kind, requestKind := k, r.Kind
	if r.ObjectKind != r.Kind {
		kind, requestKind = r.ObjectKind, r.ObjectKind
	}
	user := map[string]any{"username": r.User.Name}
	if r.User.UID != "" {
		user["uid"] = r.User.UID
	}
	if len(r.User.Groups) > 0 {
		user["groups"] = list(r.User.Groups)
	}
	if len(r.User.Extra) > 0 {
		extra := map[string]any{}
		for key, values := range r.User.Extra {
			extra[key] = list(values)
		}
		user["extra"] = extra
	}
	out := map[string]any{
		"kind":            map[string]any{"group": kind.Group, "version": kind.Version, "kind": kind.Kind},
		"resource":        map[string]any{"group": k.Group, "version": k.Version, "resource": k.Plural},
		"requestKind":     map[string]any{"group": requestKind.Group, "version": requestKind.Version, "kind": requestKind.Kind},
		"requestResource": map[string]any{"group": r.Kind.Group, "version": r.Kind.Version, "resource": r.Kind.Plural},
		"operation":       string(r.Operation), "userInfo": user, "dryRun": r.DryRun,
	}
	for name, value := range map[string]string{"subResource": r.Subresource, "requestSubResource": r.Subresource, "name": s.Name(), "namespace": s.Namespace()} {
		if value != "" {
			out[name] = value
		}
	}
	if r.Options != nil {
		options, err := optionsTree(r.Options())
		if err != nil {
			return nil, err
		}
		out["options"] = options
	}
	return out, nil
}

func optionsTree(o proto.Message) (map[string]any, error) {
	t, err := codec.ToTree(o)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"apiVersion": "meta.k8s.io/v1", "kind": string(o.ProtoReflect().Descriptor().Name())}
	maps.Copy(t, out)
	return t, nil
}

func list(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// activation finds the variables of one evaluation.
type activation struct {
	vars      map[string]any
	params    any
	variables ref.Val
}

// ResolveName implements cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case "params":
		return a.params, true
	case "variables":
		return a.variables, true
	}
	v, ok := a.vars[name]
	return v, ok
}

// Parent implements cel.Activation.
func (a *activation) Parent() cel.Activation { return nil }

// Run evaluates programs of one compiler against one input with one set of parameters; variables are computed once.
type Run struct {
	ctx    context.Context
	vars   *activation
	Budget *cel.Budget
}

// NewRun starts a run; params may be nil.
func (in *Input) NewRun(ctx context.Context, variables map[string]*cel.Program, params map[string]any, budget *cel.Budget) *Run {
	a := &activation{vars: in.vars, params: tree(params)}
	a.variables = &values{ctx: ctx, programs: variables, vars: a, budget: budget, known: map[string]ref.Val{}}
	return &Run{ctx: ctx, vars: a, Budget: budget}
}

// Eval evaluates a program.
func (r *Run) Eval(p *cel.Program) (ref.Val, error) { return p.Eval(r.ctx, r.vars, r.Budget) }

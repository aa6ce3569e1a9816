package library

import (
	"context"
	"strings"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"

	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Types of authorization checks.
var (
	AuthorizerType    = celgo.ObjectType("kubernetes.authorization.Authorizer")
	PathCheckType     = celgo.ObjectType("kubernetes.authorization.PathCheck")
	GroupCheckType    = celgo.ObjectType("kubernetes.authorization.GroupCheck")
	ResourceCheckType = celgo.ObjectType("kubernetes.authorization.ResourceCheck")
	DecisionType      = celgo.ObjectType("kubernetes.authorization.Decision")
)

// Question is what an expression asks an authorizer: may the user do this? Path is set for requests that are not for
// resources, else the others.
type Question struct {
	User                                                   *identity.User
	Verb, Path                                             string
	Group, Version, Resource, Subresource, Namespace, Name string
	FieldSelector, LabelSelector                           string
}

// Ask answers questions.
type Ask func(ctx context.Context, q Question) (allowed bool, reason string, err error)

// check is a question under way. Each step of the expression makes a copy that asks more narrowly.
type check struct {
	ctx      context.Context
	answer   Ask
	question Question
}

type (
	asker         struct{ *check }
	pathCheck     struct{ *check }
	groupCheck    struct{ *check }
	resourceCheck struct{ *check }
)

type decision struct {
	allowed bool
	reason  string
	err     error
}

var (
	askers         = &class[asker]{typ: AuthorizerType, equal: func(a, b asker) bool { return a == b }}
	pathChecks     = &class[pathCheck]{typ: PathCheckType, equal: func(a, b pathCheck) bool { return a == b }}
	groupChecks    = &class[groupCheck]{typ: GroupCheckType, equal: func(a, b groupCheck) bool { return a == b }}
	resourceChecks = &class[resourceCheck]{typ: ResourceCheckType, equal: func(a, b resourceCheck) bool { return a == b }}
	decisions      = &class[*decision]{typ: DecisionType, equal: func(a, b *decision) bool { return a == b }}
)

// Authorizer returns the value of `authorizer`: checks of what a user may do.
func Authorizer(ctx context.Context, user *identity.User, a Ask) ref.Val {
	return askers.wrap(asker{&check{ctx: ctx, answer: a, question: Question{User: user}}})
}

// ResourceAuthorizer returns the value of `authorizer.requestResource`: a check of the resource that q names.
func ResourceAuthorizer(ctx context.Context, q Question, a Ask) ref.Val {
	q.Version = "*"
	return resourceChecks.wrap(resourceCheck{&check{ctx: ctx, answer: a, question: q}})
}

// with returns a copy of the question with a change.
func (c *check) with(f func(*Question)) *check {
	out := *c
	f(&out.question)
	return &out
}

func (c *check) ask(verb string) ref.Val {
	q := c.question
	q.Verb = verb
	allowed, reason, err := c.answer(c.ctx, q)
	return decisions.wrap(&decision{allowed: allowed, reason: reason, err: err})
}

func authzFunctions() functions {
	str := celgo.StringType
	narrow := func(id string, f func(*Question, string)) []celgo.FunctionOpt {
		return []celgo.FunctionOpt{member(id, args(ResourceCheckType, str), ResourceCheckType, binary(func(c resourceCheck, s string) ref.Val {
			return resourceChecks.wrap(resourceCheck{c.with(func(q *Question) { f(q, s) })})
		}))}
	}
	tell := func(id string, t *celgo.Type, f func(*decision) ref.Val) []celgo.FunctionOpt {
		return []celgo.FunctionOpt{member(id, args(DecisionType), t, unary(f))}
	}
	return functions{
		"path":  {member("authorizer_path", args(AuthorizerType, str), PathCheckType, binary(askPath))},
		"group": {member("authorizer_group", args(AuthorizerType, str), GroupCheckType, binary(askGroup))},
		"serviceAccount": {member("authorizer_serviceaccount", args(AuthorizerType, str, str), AuthorizerType,
			celgo.FunctionBinding(askServiceAccount))},
		"resource":      {member("groupcheck_resource", args(GroupCheckType, str), ResourceCheckType, binary(askResource))},
		"subresource":   narrow("resourcecheck_subresource", func(q *Question, s string) { q.Subresource = s }),
		"namespace":     narrow("resourcecheck_namespace", func(q *Question, s string) { q.Namespace = s }),
		"name":          narrow("resourcecheck_name", func(q *Question, s string) { q.Name = s }),
		"fieldSelector": narrow("authorizer_fieldselector", func(q *Question, s string) { q.FieldSelector = s }),
		"labelSelector": narrow("authorizer_labelselector", func(q *Question, s string) { q.LabelSelector = s }),
		"check": {
			member("pathcheck_check", args(PathCheckType, str), DecisionType, binary(func(c pathCheck, verb string) ref.Val { return c.ask(verb) })),
			member("resourcecheck_check", args(ResourceCheckType, str), DecisionType,
				binary(func(c resourceCheck, verb string) ref.Val { return c.ask(verb) })),
		},
		"allowed": tell("decision_allowed", celgo.BoolType, func(d *decision) ref.Val { return types.Bool(d.allowed) }),
		"reason":  tell("decision_reason", str, func(d *decision) ref.Val { return types.String(d.reason) }),
		"errored": tell("decision_errored", celgo.BoolType, func(d *decision) ref.Val { return types.Bool(d.err != nil) }),
		"error": tell("decision_error", str, func(d *decision) ref.Val {
			if d.err == nil {
				return types.String("")
			}
			return types.String(d.err.Error())
		}),
	}
}

func askPath(a asker, path string) ref.Val {
	if strings.TrimSpace(path) == "" {
		return types.NewErr("path must not be empty")
	}
	return pathChecks.wrap(pathCheck{a.with(func(q *Question) { q.Path = path })})
}

func askGroup(a asker, group string) ref.Val {
	return groupChecks.wrap(groupCheck{a.with(func(q *Question) { q.Group, q.Version = group, "*" })})
}

func askResource(c groupCheck, resource string) ref.Val {
	if strings.TrimSpace(resource) == "" {
		return types.NewErr("resource must not be empty")
	}
	return resourceChecks.wrap(resourceCheck{c.with(func(q *Question) { q.Resource = resource })})
}

func askServiceAccount(a ...ref.Val) ref.Val {
	if len(a) != 3 {
		return types.NoSuchOverloadErr()
	}
	who, ok := a[0].Value().(asker)
	namespace, nok := a[1].Value().(string)
	name, mok := a[2].Value().(string)
	switch {
	case !ok || !nok || !mok:
		return types.MaybeNoSuchOverloadErr(a[0])
	case len(apivalidation.ValidateServiceAccountName(name, false)) > 0:
		return types.NewErr("Invalid service account name")
	case len(apivalidation.ValidateNamespaceName(namespace, false)) > 0:
		return types.NewErr("Invalid service account namespace")
	}
	user := &identity.User{
		Name:   identity.ServiceAccountPrefix + namespace + ":" + name,
		Groups: []string{identity.GroupServiceAccounts, identity.GroupServiceAccounts + ":" + namespace, identity.GroupAuthenticated},
	}
	return askers.wrap(asker{who.with(func(q *Question) { q.User = user })})
}

package authz

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/identity"

	"github.com/keelson/keelson/apiserver/internal/authz/rbac"
)

// Admission returns the plugins that keep writers within their rights: nobody grants what they do not have, and a node
// writes only what is its own.
func (z *Authorizer) Admission() []pipeline.Admission {
	return []pipeline.Admission{grantCheck{z}, z.restriction}
}

// grantCheck refuses roles and bindings that would give more than their writer has. "escalate" on a role and "bind" on
// the role of a binding lift the restriction.
type grantCheck struct{ z *Authorizer }

// Name implements admission.Plugin.
func (grantCheck) Name() string { return "RBACEscalation" }

// Admit implements admission.Plugin; it changes nothing.
func (grantCheck) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (g grantCheck) Validate(ctx context.Context, r *admission.Request) error {
	if r.Kind.Group != rbac.Group || r.Subresource != "" || r.Object == nil || r.User.InGroup(identity.GroupMasters) {
		return nil
	}
	named := *r
	if named.Name == "" {
		named.Name = r.Object.GetMetadata().GetName() // a creation names the object in its body only
	}
	r = &named
	switch obj := r.Object.(type) {
	case *rbacv1.Role:
		if old, ok := r.Old.(*rbacv1.Role); ok && sameRules(old.GetRules(), obj.GetRules()) {
			return nil
		}
		return g.role(ctx, r, obj.GetRules(), false)
	case *rbacv1.ClusterRole:
		old, ok := r.Old.(*rbacv1.ClusterRole)
		if ok && sameRules(old.GetRules(), obj.GetRules()) && proto.Equal(old.GetAggregationRule(), obj.GetAggregationRule()) {
			return nil
		}
		return g.role(ctx, r, obj.GetRules(), obj.GetAggregationRule() != nil || old.GetAggregationRule() != nil)
	case *rbacv1.RoleBinding:
		if old, ok := r.Old.(*rbacv1.RoleBinding); ok && sameSubjects(old.GetSubjects(), obj.GetSubjects()) && proto.Equal(old.GetRoleRef(), obj.GetRoleRef()) {
			return nil
		}
		return g.binding(ctx, r, obj.GetRoleRef())
	case *rbacv1.ClusterRoleBinding:
		if old, ok := r.Old.(*rbacv1.ClusterRoleBinding); ok && sameSubjects(old.GetSubjects(), obj.GetSubjects()) && proto.Equal(old.GetRoleRef(), obj.GetRoleRef()) {
			return nil
		}
		return g.binding(ctx, r, obj.GetRoleRef())
	}
	return nil
}

func sameRules(a, b []*rbacv1.PolicyRule) bool {
	return slices.EqualFunc(a, b, func(x, y *rbacv1.PolicyRule) bool { return proto.Equal(x, y) })
}

func sameSubjects(a, b []*rbacv1.Subject) bool {
	return slices.EqualFunc(a, b, func(x, y *rbacv1.Subject) bool { return proto.Equal(x, y) })
}

// everything is what an aggregated role may come to mean.
var everything = []*rbacv1.PolicyRule{
	{Verbs: []string{"*"}, ApiGroups: []string{"*"}, Resources: []string{"*"}},
	{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}},
}

func (g grantCheck) role(ctx context.Context, r *admission.Request, rules []*rbacv1.PolicyRule, aggregated bool) error {
	if g.may(ctx, r, "escalate", r.Kind.Plural, r.Namespace, r.Name) {
		return nil
	}
	if aggregated {
		if missing := g.missing(ctx, r, everything); missing != nil {
			return apierrors.NewForbidden(rbac.Group, r.Kind.Plural, r.Name,
				fmt.Errorf("must have cluster-admin privileges to use an aggregationRule: %w", missing))
		}
	}
	if missing := g.missing(ctx, r, rules); missing != nil {
		return apierrors.NewForbidden(rbac.Group, r.Kind.Plural, r.Name, missing)
	}
	return nil
}

func (g grantCheck) binding(ctx context.Context, r *admission.Request, to *rbacv1.RoleRef) error {
	plural, namespace := "clusterroles", ""
	if to.GetKind() == "Role" {
		plural, namespace = "roles", r.Namespace
	}
	if g.may(ctx, r, "bind", plural, r.Namespace, to.GetName()) {
		return nil
	}
	rules, ok := g.z.index.RoleRules(namespace, to.GetName())
	if !ok {
		return apierrors.NewNotFound(rbac.Group, plural, to.GetName())
	}
	if missing := g.missing(ctx, r, rules); missing != nil {
		return apierrors.NewForbidden(rbac.Group, r.Kind.Plural, r.Name, missing)
	}
	return nil
}

// may asks for one of the verbs that lift the restriction. A refusal has let the views catch up.
func (g grantCheck) may(ctx context.Context, r *admission.Request, verb, plural, namespace, name string) bool {
	decision, _, err := g.z.Authorize(ctx, pipeline.Attributes{
		User: r.User, Verb: verb, Group: rbac.Group, Version: r.Kind.Version, Resource: plural, Namespace: namespace, Name: name,
	})
	return err == nil && decision == pipeline.Allow
}

// missing says which of the rules the writer does not have; nil where there are none.
func (g grantCheck) missing(_ context.Context, r *admission.Request, rules []*rbacv1.PolicyRule) error {
	owned, unresolved := g.z.index.RulesFor(r.User, r.Namespace)
	lacking := rbac.Compact(rbac.Uncovered(owned, rules))
	if len(lacking) == 0 {
		return nil
	}
	message := fmt.Sprintf("user %q (groups=%q) is attempting to grant RBAC permissions not currently held:\n%s",
		r.User.Name, r.User.Groups, strings.Join(lacking, "\n"))
	if len(unresolved) > 0 {
		message += fmt.Sprintf("; resolution errors: %v", unresolved)
	}
	return fmt.Errorf("%s", message)
}

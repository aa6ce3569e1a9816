// Package rbac holds the logic of the rbac.authorization.k8s.io group's kinds that no option can say.
package rbac

import (
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Group is the API group of roles, users and groups.
const Group = "rbac.authorization.k8s.io"

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddMessage(s, rule.TypedMessage[*rbacv1.Subject]{Default: defaultSubject})
	rule.AddKind(s, rule.TypedKind[*rbacv1.Role]{Validate: func(r, _ *rbacv1.Role) rule.ErrorList { return rules(r.Rules, true) }})
	rule.AddKind(s, rule.TypedKind[*rbacv1.ClusterRole]{Validate: clusterRole})
	rule.AddKind(s, rule.TypedKind[*rbacv1.RoleBinding]{Validate: func(b, old *rbacv1.RoleBinding) rule.ErrorList {
		return binding(b.RoleRef, old.GetRoleRef(), b.Subjects, true, old != nil)
	}})
	rule.AddKind(s, rule.TypedKind[*rbacv1.ClusterRoleBinding]{Validate: func(b, old *rbacv1.ClusterRoleBinding) rule.ErrorList {
		return binding(b.RoleRef, old.GetRoleRef(), b.Subjects, false, old != nil)
	}})
}

func defaultSubject(s *rbacv1.Subject) {
	if s.ApiGroup == "" && (s.Kind == "User" || s.Kind == "Group") {
		s.ApiGroup = Group
	}
}

func clusterRole(r, _ *rbacv1.ClusterRole) rule.ErrorList {
	errs := rules(r.Rules, false)
	if a := r.AggregationRule; a != nil && len(a.ClusterRoleSelectors) == 0 {
		errs = append(errs, field.Required(field.NewPath("aggregationRule", "clusterRoleSelectors"), "at least one clusterRoleSelector required if aggregationRule is non-nil"))
	}
	return errs
}

func rules(list []*rbacv1.PolicyRule, namespaced bool) rule.ErrorList {
	var errs rule.ErrorList
	for i, r := range list {
		at := field.NewPath("rules").Index(i)
		if len(r.NonResourceURLs) > 0 {
			if namespaced {
				errs = append(errs, field.Invalid(at.Child("nonResourceURLs"), r.NonResourceURLs, "namespaced rules cannot apply to non-resource URLs"))
			}
			if len(r.ApiGroups) > 0 || len(r.Resources) > 0 || len(r.ResourceNames) > 0 {
				errs = append(errs, field.Invalid(at.Child("nonResourceURLs"), r.NonResourceURLs, "rules cannot apply to both regular resources and non-resource URLs"))
			}
			continue
		}
		if len(r.ApiGroups) == 0 {
			errs = append(errs, field.Required(at.Child("apiGroups"), "resource rules must supply at least one api group"))
		}
		if len(r.Resources) == 0 {
			errs = append(errs, field.Required(at.Child("resources"), "resource rules must supply at least one resource"))
		}
	}
	return errs
}

func binding(ref, old *rbacv1.RoleRef, subjects []*rbacv1.Subject, namespaced, update bool) rule.ErrorList {
	var errs rule.ErrorList
	at := field.NewPath("roleRef")
	if ref.GetApiGroup() != Group {
		errs = append(errs, field.NotSupported(at.Child("apiGroup"), ref.GetApiGroup(), []string{Group}))
	}
	kinds := []string{"ClusterRole"}
	if namespaced {
		kinds = []string{"Role", "ClusterRole"}
	}
	if k := ref.GetKind(); k != "ClusterRole" && (!namespaced || k != "Role") {
		errs = append(errs, field.NotSupported(at.Child("kind"), k, kinds))
	}
	if update && !proto.Equal(ref, old) {
		errs = append(errs, field.Invalid(at, rule.Value(ref), "cannot change roleRef"))
	}
	for i, s := range subjects {
		errs = append(errs, subject(s, namespaced, field.NewPath("subjects").Index(i))...)
	}
	return errs
}

func subject(s *rbacv1.Subject, namespaced bool, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	switch s.Kind {
	case "ServiceAccount":
		if s.Name != "" {
			for _, msg := range validation.IsDNS1123Subdomain(s.Name) {
				errs = append(errs, field.Invalid(at.Child("name"), s.Name, msg))
			}
		}
		if s.ApiGroup != "" {
			errs = append(errs, field.NotSupported(at.Child("apiGroup"), s.ApiGroup, []string{""}))
		}
		if !namespaced && s.Namespace == "" {
			errs = append(errs, field.Required(at.Child("namespace"), ""))
		}
	case "User", "Group":
		if s.ApiGroup != Group {
			errs = append(errs, field.NotSupported(at.Child("apiGroup"), s.ApiGroup, []string{Group}))
		}
	default:
		errs = append(errs, field.NotSupported(at.Child("kind"), s.Kind, []string{"ServiceAccount", "User", "Group"}))
	}
	return errs
}

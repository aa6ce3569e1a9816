// Package rbac holds the logic of the rbac.authorization.k8s.io group's kinds that no option can say.
package rbac

import (
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Group is the API group of roles, users and groups.
const Group = "rbac.authorization.k8s.io"

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddMessage(s, rule.TypedMessage[*rbacv1.Subject]{Default: defaultSubject})
}

func defaultSubject(s *rbacv1.Subject) {
	if s.ApiGroup == "" && (s.Kind == "User" || s.Kind == "Group") {
		s.ApiGroup = Group
	}
}

package bootstrap

import (
	"strings"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
)

// The table of roles is written with a few words of its own: lists are strings with spaces between, and the core API
// group is called "core".

const (
	read  = "get list watch"
	write = "create delete deletecollection patch update"
	both  = "create delete deletecollection get list patch update watch"
)

// allow is a rule on resources of one or more groups.
func allow(verbs, groups, resources string) *rbacv1.PolicyRule {
	rule := &rbacv1.PolicyRule{
		Verbs: strings.Fields(verbs), ApiGroups: strings.Fields(groups), Resources: strings.Fields(resources),
	}
	for i, g := range rule.ApiGroups {
		if g == "core" {
			rule.ApiGroups[i] = ""
		}
	}
	return rule
}

// named narrows a rule to objects of these names.
func named(rule *rbacv1.PolicyRule, names string) *rbacv1.PolicyRule {
	rule.ResourceNames = strings.Fields(names)
	return rule
}

// paths is a rule on URLs.
func paths(verbs, urls string) *rbacv1.PolicyRule {
	return &rbacv1.PolicyRule{Verbs: strings.Fields(verbs), NonResourceURLs: strings.Fields(urls)}
}

// meta carries the marks by which people recognise a default and may opt out of its reconciliation.
func meta(name string) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{
		Name:        name,
		Labels:      map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"},
		Annotations: map[string]string{autoUpdate: "true"},
	}
}

func clusterRole(name string, rules ...*rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{Metadata: meta(name), Rules: rules}
}

// aggregate prefixes the labels by which ClusterRoles join another.
const aggregate = "rbac.authorization.k8s.io/aggregate-to-"

// feeds makes a role part of another one.
func feeds(into string, role *rbacv1.ClusterRole) *rbacv1.ClusterRole {
	role.Metadata.Labels[aggregate+into] = "true"
	return role
}

// aggregated is a role whose rules are those of the roles that feed it.
func aggregated(name string) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		Metadata: meta(name),
		AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []*metav1.LabelSelector{
			{MatchLabels: map[string]string{aggregate + name: "true"}},
		}},
	}
}

// bind gives a ClusterRole of the same name to subjects, written "User/name" or "Group/name".
func bind(role string, subjects ...string) *rbacv1.ClusterRoleBinding {
	return bindAs(role, role, subjects...)
}

func bindAs(name, role string, subjects ...string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		Metadata: meta(name),
		RoleRef:  &rbacv1.RoleRef{ApiGroup: group, Kind: "ClusterRole", Name: role},
		Subjects: subjectsOf(subjects),
	}
}

func subjectsOf(list []string) []*rbacv1.Subject {
	var out []*rbacv1.Subject
	for _, s := range list {
		kind, name, _ := strings.Cut(s, "/")
		out = append(out, &rbacv1.Subject{Kind: kind, ApiGroup: group, Name: name})
	}
	return out
}

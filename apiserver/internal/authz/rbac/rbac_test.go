package rbac

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

func rule(verbs, groups, resources []string, names ...string) *rbacv1.PolicyRule {
	return &rbacv1.PolicyRule{Verbs: verbs, ApiGroups: groups, Resources: resources, ResourceNames: names}
}

func urls(verbs []string, paths ...string) *rbacv1.PolicyRule {
	return &rbacv1.PolicyRule{Verbs: verbs, NonResourceURLs: paths}
}

type list = []string

func TestRules(t *testing.T) {
	cases := []struct {
		name  string
		rules []*rbacv1.PolicyRule
		query Query
		want  bool
	}{
		{"exact", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"})}, Query{Verb: "get", Resource: "pods"}, true},
		{"other verb", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"})}, Query{Verb: "list", Resource: "pods"}, false},
		{"other group", []*rbacv1.PolicyRule{rule(list{"get"}, list{"apps"}, list{"pods"})}, Query{Verb: "get", Resource: "pods"}, false},
		{"two rules on one target", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"}), rule(list{"list", "approve"}, list{""}, list{"pods"})}, Query{Verb: "approve", Resource: "pods"}, true},
		{"verb wildcard", []*rbacv1.PolicyRule{rule(list{"*"}, list{""}, list{"pods"})}, Query{Verb: "anything", Resource: "pods"}, true},
		{"verb wildcard with others", []*rbacv1.PolicyRule{rule(list{"sign"}, list{""}, list{"pods"}), rule(list{"*"}, list{""}, list{"pods"})}, Query{Verb: "other", Resource: "pods"}, true},
		{"rare verb", []*rbacv1.PolicyRule{rule(list{"approve"}, list{""}, list{"pods"})}, Query{Verb: "sign", Resource: "pods"}, false},
		{"group wildcard", []*rbacv1.PolicyRule{rule(list{"get"}, list{"*"}, list{"pods"})}, Query{Verb: "get", Group: "apps", Resource: "pods"}, true},
		{"resource wildcard covers subresources", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"*"})}, Query{Verb: "get", Resource: "pods", Subresource: "log"}, true},
		{"resource does not cover subresource", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"})}, Query{Verb: "get", Resource: "pods", Subresource: "log"}, false},
		{"subresource", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods/log"})}, Query{Verb: "get", Resource: "pods", Subresource: "log"}, true},
		{"subresource does not cover resource", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods/log"})}, Query{Verb: "get", Resource: "pods"}, false},
		{"subresource of any resource", []*rbacv1.PolicyRule{rule(list{"update"}, list{"*"}, list{"*/scale"})}, Query{Verb: "update", Group: "apps", Resource: "deployments", Subresource: "scale"}, true},
		{"subresource of any resource is not the resource", []*rbacv1.PolicyRule{rule(list{"update"}, list{"*"}, list{"*/scale"})}, Query{Verb: "update", Group: "apps", Resource: "deployments"}, false},
		{"name", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"}, "a", "b")}, Query{Verb: "get", Resource: "pods", Name: "b"}, true},
		{"other name", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"}, "a")}, Query{Verb: "get", Resource: "pods", Name: "b"}, false},
		{"names and no name", []*rbacv1.PolicyRule{rule(list{"list"}, list{""}, list{"pods"}, "a")}, Query{Verb: "list", Resource: "pods"}, false},
		{"path", []*rbacv1.PolicyRule{urls(list{"get"}, "/healthz")}, Query{Verb: "get", Path: "/healthz"}, true},
		{"path is no prefix", []*rbacv1.PolicyRule{urls(list{"get"}, "/healthz")}, Query{Verb: "get", Path: "/healthz/etcd"}, false},
		{"path prefix", []*rbacv1.PolicyRule{urls(list{"get"}, "/healthz/*")}, Query{Verb: "get", Path: "/healthz/etcd"}, true},
		{"any path", []*rbacv1.PolicyRule{urls(list{"*"}, "*")}, Query{Verb: "post", Path: "/x"}, true},
		{"a resource rule gives no path", []*rbacv1.PolicyRule{rule(list{"*"}, list{"*"}, list{"*"})}, Query{Verb: "get", Path: "/x"}, false},
		{"a path rule gives no resource", []*rbacv1.PolicyRule{urls(list{"*"}, "*")}, Query{Verb: "get", Resource: "pods"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Compile(c.rules).Allow(c.query); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func testIndex() *Index {
	x := NewIndex()
	x.SetRole("", "reader", []*rbacv1.PolicyRule{rule(list{"get", "list", "watch"}, list{""}, list{"pods"})})
	x.SetRole("shop", "writer", []*rbacv1.PolicyRule{rule(list{"create"}, list{""}, list{"pods"})})
	x.SetBinding("", "readers", &rbacv1.RoleRef{Kind: "ClusterRole", Name: "reader"}, []*rbacv1.Subject{{Kind: "Group", Name: "dev"}})
	x.SetBinding("shop", "writers", &rbacv1.RoleRef{Kind: "Role", Name: "writer"}, []*rbacv1.Subject{
		{Kind: "User", Name: "jane"}, {Kind: "ServiceAccount", Name: "robot", Namespace: "ci"}, {Kind: "ServiceAccount", Name: "local"},
	})
	x.SetBinding("shop", "shop-readers", &rbacv1.RoleRef{Kind: "ClusterRole", Name: "reader"}, []*rbacv1.Subject{{Kind: "User", Name: "jane"}})
	x.SetBinding("shop", "dangling", &rbacv1.RoleRef{Kind: "Role", Name: "gone"}, []*rbacv1.Subject{{Kind: "User", Name: "jane"}})
	return x
}

func TestIndex(t *testing.T) {
	pods := func(verb, ns string) Query { return Query{Verb: verb, Resource: "pods", Namespace: ns} }
	cases := []struct {
		name   string
		user   identity.User
		query  Query
		want   bool
		reason string
	}{
		{"by group, everywhere", identity.User{Name: "bob", Groups: list{"dev"}}, pods("get", "x"), true, `RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "reader" to Group "dev"`},
		{"by group, over all namespaces", identity.User{Name: "bob", Groups: list{"dev"}}, pods("list", ""), true, `RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "reader" to Group "dev"`},
		{"by user, in the namespace", identity.User{Name: "jane"}, pods("create", "shop"), true, `RBAC: allowed by RoleBinding "writers/shop" of Role "writer" to User "jane"`},
		{"by user, in another namespace", identity.User{Name: "jane"}, pods("create", "x"), false, ""},
		{"by user, over all namespaces", identity.User{Name: "jane"}, pods("list", ""), false, ""},
		{"cluster role bound in a namespace", identity.User{Name: "jane"}, pods("get", "shop"), true, `RBAC: allowed by RoleBinding "shop-readers/shop" of ClusterRole "reader" to User "jane"`},
		{"service account", identity.User{Name: "system:serviceaccount:ci:robot"}, pods("create", "shop"), true, `RBAC: allowed by RoleBinding "writers/shop" of Role "writer" to ServiceAccount "robot/ci"`},
		{"service account of the binding's namespace", identity.User{Name: "system:serviceaccount:shop:local"}, pods("create", "shop"), true, `RBAC: allowed by RoleBinding "writers/shop" of Role "writer" to ServiceAccount "local/shop"`},
		{"missing role is named", identity.User{Name: "jane"}, pods("delete", "shop"), false, `RBAC: role.rbac.authorization.k8s.io "gone" not found`},
		{"nobody", identity.User{Name: "eve"}, pods("get", "shop"), false, ""},
	}
	x := testIndex()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, reason := x.Allow(&c.user, c.query)
			if got != c.want || reason != c.reason {
				t.Errorf("got %v %q, want %v %q", got, reason, c.want, c.reason)
			}
		})
	}
}

func TestIndexChanges(t *testing.T) {
	x := testIndex()
	jane := &identity.User{Name: "jane"}
	create := Query{Verb: "create", Resource: "pods", Namespace: "shop"}
	allowed := func() bool { ok, _ := x.Allow(jane, create); return ok }

	x.SetRole("shop", "writer", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"})})
	if allowed() {
		t.Error("the role's old rules are still there")
	}
	x.SetRole("shop", "gone", []*rbacv1.PolicyRule{rule(list{"create"}, list{""}, list{"pods"})})
	if !allowed() {
		t.Error("a role that came after its binding gives nothing")
	}
	x.SetBinding("shop", "dangling", &rbacv1.RoleRef{Kind: "Role", Name: "gone"}, nil)
	if allowed() {
		t.Error("a binding's removed subject is still there")
	}
	for _, name := range (list{"writers", "shop-readers", "dangling"}) {
		x.DeleteBinding("shop", name)
	}
	x.DeleteBinding("", "readers")
	x.DeleteRole("shop", "gone")
	x.DeleteRole("shop", "writer")
	x.DeleteRole("", "reader")
	if len(x.users)+len(x.groups)+len(x.roles)+len(x.bindings) != 0 {
		t.Errorf("left behind: %v %v %v %v", x.users, x.groups, x.roles, x.bindings)
	}
}

func TestUncovered(t *testing.T) {
	cases := []struct {
		name           string
		owned, granted []*rbacv1.PolicyRule
		want           []string
	}{
		{"same", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"})}, []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"})}, nil},
		{"split over rules", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"}), rule(list{"list"}, list{"*"}, list{"pods"})},
			[]*rbacv1.PolicyRule{rule(list{"get", "list"}, list{""}, list{"pods"})}, nil},
		{"missing verbs are merged", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"})},
			[]*rbacv1.PolicyRule{rule(list{"get", "list", "watch"}, list{""}, list{"pods"})},
			list{`{APIGroups:[""], Resources:["pods"], Verbs:["list", "watch"]}`}},
		{"a wildcard needs a wildcard", []*rbacv1.PolicyRule{rule(list{"get", "list"}, list{""}, list{"pods"})},
			[]*rbacv1.PolicyRule{rule(list{"*"}, list{""}, list{"pods"})}, list{`{APIGroups:[""], Resources:["pods"], Verbs:["*"]}`}},
		{"all names need no names", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"}, "a")},
			[]*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"})}, list{`{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`}},
		{"one name of several", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"}, "a")},
			[]*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods"}, "a", "b")},
			list{`{APIGroups:[""], Resources:["pods"], ResourceNames:["b"], Verbs:["get"]}`}},
		{"subresource of any", []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"*/log"})}, []*rbacv1.PolicyRule{rule(list{"get"}, list{""}, list{"pods/log"})}, nil},
		{"paths", []*rbacv1.PolicyRule{urls(list{"get"}, "/healthz/*")}, []*rbacv1.PolicyRule{urls(list{"get"}, "/healthz/x", "/version")},
			list{`{NonResourceURLs:["/version"], Verbs:["get"]}`}},
		{"everything", []*rbacv1.PolicyRule{rule(list{"*"}, list{"*"}, list{"*"})}, []*rbacv1.PolicyRule{rule(list{"*"}, list{"*"}, list{"*"}, "x")}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Compact(Uncovered(c.owned, c.granted))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAllowDoesNotAllocate(t *testing.T) {
	x := testIndex()
	u := &identity.User{Name: "bob", Groups: list{"system:authenticated", "dev"}}
	for _, verb := range (list{"get", "delete"}) {
		q := Query{Verb: verb, Resource: "pods", Namespace: "shop"}
		if n := testing.AllocsPerRun(100, func() { x.Allow(u, q) }); n != 0 {
			t.Errorf("%s: %v allocations", verb, n)
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	x := testIndex()
	for i := range 10000 {
		ns := fmt.Sprintf("ns%d", i)
		x.SetBinding(ns, "b", &rbacv1.RoleRef{Kind: "ClusterRole", Name: "reader"}, []*rbacv1.Subject{{Kind: "User", Name: "jane"}})
	}
	u := &identity.User{Name: "jane", Groups: list{"system:authenticated", "dev"}}
	q := Query{Verb: "get", Resource: "pods", Namespace: "ns77", Name: "x"}
	for b.Loop() {
		x.Allow(u, q)
	}
}

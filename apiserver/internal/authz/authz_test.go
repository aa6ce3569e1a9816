package authz

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	authorizationv1 "github.com/keelson/keelson/proto/gen/keelson/authorization/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"

	"github.com/keelson/keelson/apiserver/internal/authz/rbac"
)

// cluster is a pipeline over a memory store with the real authorizer.
type cluster struct {
	t      *testing.T
	ctx    context.Context
	server *pipeline.Server
	z      *Authorizer
}

func start(t *testing.T) *cluster {
	t.Helper()
	logger := zaptest.NewLogger(t)
	z := New(Options{Logger: logger, APIAudiences: []string{"https://api"}})
	server, err := pipeline.New(pipeline.Config{
		Registry: schema.Builtin(), Store: memory.New(), Authorizer: z, Admission: z.Admission(), Handlers: z.Handlers(), Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	running, stop := context.WithCancel(context.Background())
	go func() { defer close(done); z.Run(running, server) }()
	t.Cleanup(func() { stop(); <-done; server.Close() })
	if err := z.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	return &cluster{t, ctx, server, z}
}

func user(name string, groups ...string) *identity.User {
	return &identity.User{Name: name, Groups: append(groups, identity.GroupAuthenticated)}
}

var (
	admin = user("kubernetes-admin", identity.GroupMasters)
	jane  = user("jane")
	n1    = user("system:node:n1", identity.GroupNodes)
)

func (c *cluster) as(u *identity.User) context.Context { return identity.NewContext(c.ctx, u) }

func at(group, plural, namespace, name string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: group, Plural: plural}, Namespace: namespace, Name: name}
}

func (c *cluster) create(u *identity.User, r *resourcev1.ObjectRef, m proto.Message) error {
	c.t.Helper()
	_, err := c.createItem(u, r, m)
	return err
}

func (c *cluster) createItem(u *identity.User, r *resourcev1.ObjectRef, m proto.Message) (*pipeline.Item, error) {
	c.t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := c.server.Create(c.as(u), &resourcev1.CreateRequest{
		Ref: r, Object: &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF},
	})
	if err != nil {
		return nil, err
	}
	return res.Item, nil
}

func (c *cluster) update(u *identity.User, r *resourcev1.ObjectRef, m proto.Message) error {
	c.t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	_, err = c.server.Update(c.as(u), &resourcev1.UpdateRequest{
		Ref: r, Object: &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF},
	})
	return err
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) get(u *identity.User, r *resourcev1.ObjectRef) error {
	_, err := c.server.Get(c.as(u), &resourcev1.GetRequest{Ref: r})
	return err
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && (err == nil || err.Error() != want):
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func meta(namespace, name string) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func TestDefaultRoles(t *testing.T) {
	c := start(t)
	it, err := c.server.Get(c.as(admin), &resourcev1.GetRequest{Ref: at(rbac.Group, "clusterroles", "", "cluster-admin")})
	c.must(err)
	role := &rbacv1.ClusterRole{}
	c.must(decode(it, role))
	if len(role.GetRules()) != 2 || role.GetMetadata().GetLabels()["kubernetes.io/bootstrapping"] != "rbac-defaults" {
		t.Errorf("cluster-admin is %v", role)
	}

	// Somebody takes a right away and adds one of their own: a new start gives back the one and keeps the other.
	role = &rbacv1.ClusterRole{}
	it, err = c.server.Get(c.as(admin), &resourcev1.GetRequest{Ref: at(rbac.Group, "clusterroles", "", "system:basic-user")})
	c.must(err)
	c.must(decode(it, role))
	role.Rules = []*rbacv1.PolicyRule{{Verbs: []string{"get"}, ApiGroups: []string{"example.com"}, Resources: []string{"things"}}}
	c.must(c.update(admin, at(rbac.Group, "clusterroles", "", "system:basic-user"), role))
	z := New(Options{})
	ctx, cancel := context.WithCancel(c.ctx)
	done := make(chan struct{})
	go func() { defer close(done); z.Run(ctx, c.server) }()
	c.must(z.WaitForSync(c.ctx))
	cancel()
	<-done
	if ok, _ := z.index.Allow(jane, rbac.Query{Verb: "create", Group: "authorization.k8s.io", Resource: "selfsubjectaccessreviews"}); !ok {
		t.Error("the default right is missing")
	}
	if ok, _ := z.index.Allow(jane, rbac.Query{Verb: "get", Group: "example.com", Resource: "things"}); !ok {
		t.Error("the added right is gone")
	}
}

// eventually asks until the answer is right or the test's time is over; each question waits for the views to catch up.
func (c *cluster) eventually(what string, ok func() bool) {
	c.t.Helper()
	for !ok() {
		if c.ctx.Err() != nil {
			c.t.Fatalf("%s: not in time", what)
		}
		c.must(c.z.CatchUp(c.ctx))
	}
}

func TestAggregation(t *testing.T) {
	c := start(t)
	c.must(c.create(admin, at(rbac.Group, "clusterrolebindings", "", "janes"), &rbacv1.ClusterRoleBinding{
		Metadata: meta("", "janes"), RoleRef: &rbacv1.RoleRef{ApiGroup: rbac.Group, Kind: "ClusterRole", Name: "view"},
		Subjects: []*rbacv1.Subject{{Kind: "User", ApiGroup: rbac.Group, Name: "jane"}},
	}))
	may := func(verb, group, resource string) bool {
		ok, _ := c.z.index.Allow(jane, rbac.Query{Verb: verb, Group: group, Resource: resource, Namespace: "shop"})
		return ok
	}
	c.eventually("view has its rules", func() bool { return may("get", "", "pods") })
	if !may("list", "apps", "deployments") {
		t.Error("view gives too little")
	}
	if may("get", "", "secrets") || may("create", "", "pods") {
		t.Error("view gives too much")
	}
	extra := &rbacv1.ClusterRole{
		Metadata: &metav1.ObjectMeta{Name: "shops", Labels: map[string]string{"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
		Rules:    []*rbacv1.PolicyRule{{Verbs: []string{"get"}, ApiGroups: []string{"example.com"}, Resources: []string{"shops"}}},
	}
	c.must(c.create(admin, at(rbac.Group, "clusterroles", "", "shops"), extra))
	c.eventually("view has the added rule", func() bool { return may("get", "example.com", "shops") })
	_, err := c.server.Delete(c.as(admin), &resourcev1.DeleteRequest{Ref: at(rbac.Group, "clusterroles", "", "shops")})
	c.must(err)
	c.eventually("view lost the added rule", func() bool { return !may("get", "example.com", "shops") })
}

func TestForbiddenMessages(t *testing.T) {
	c := start(t)
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"object", c.get(jane, at("", "pods", "shop", "x")),
			`pods "x" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "shop"`},
		{"cluster scope", c.get(jane, at("", "nodes", "", "n1")),
			`nodes "n1" is forbidden: User "jane" cannot get resource "nodes" in API group "" at the cluster scope`},
		{"path", c.z.Check(c.ctx, pipeline.Attributes{User: jane, Verb: "get", Path: "/metrics"}),
			`forbidden: User "jane" cannot get path "/metrics"`},
		{"subresource", c.z.Check(c.ctx, pipeline.Attributes{User: jane, Verb: "create", Resource: "pods", Subresource: "exec", Namespace: "shop", Name: "x"}),
			`pods "x" is forbidden: User "jane" cannot create resource "pods/exec" in API group "" in the namespace "shop"`},
		{"another node's secret", c.get(n1, at("", "secrets", "shop", "s")),
			`secrets "s" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" in the namespace "shop": node: no relationship found between node 'n1' and this object`},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			wantError(t, x.err, x.want)
			if !apierrors.IsForbidden(x.err) {
				t.Errorf("not Forbidden: %v", x.err)
			}
		})
	}
}

// TestGrantIsSeenAtOnce: who was granted something is not refused it a moment later because a view lags.
func TestGrantIsSeenAtOnce(t *testing.T) {
	c := start(t)
	c.must(c.create(admin, at("", "namespaces", "", "shop"), &corev1.Namespace{Metadata: meta("", "shop")}))
	for i := range 50 {
		u := user("user-" + string(rune('a'+i%26)) + string(rune('a'+i/26)))
		c.must(c.create(admin, at(rbac.Group, "rolebindings", "shop", u.Name), &rbacv1.RoleBinding{
			Metadata: meta("shop", u.Name), RoleRef: &rbacv1.RoleRef{ApiGroup: rbac.Group, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects: []*rbacv1.Subject{{Kind: "User", ApiGroup: rbac.Group, Name: u.Name}},
		}))
		if _, err := c.server.List(c.as(u), &resourcev1.ListRequest{Selection: &resourcev1.Selection{
			Resource: &resourcev1.Resource{Plural: "pods"}, Namespace: "shop",
		}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEscalation(t *testing.T) {
	c := start(t)
	for _, ns := range []string{"shop", "other"} {
		c.must(c.create(admin, at("", "namespaces", "", ns), &corev1.Namespace{Metadata: meta("", ns)}))
	}
	// Jane runs the namespace "shop": she may give away there what an admin of it has.
	c.must(c.create(admin, at(rbac.Group, "rolebindings", "shop", "jane"), &rbacv1.RoleBinding{
		Metadata: meta("shop", "jane"), RoleRef: &rbacv1.RoleRef{ApiGroup: rbac.Group, Kind: "ClusterRole", Name: "admin"},
		Subjects: []*rbacv1.Subject{{Kind: "User", ApiGroup: rbac.Group, Name: "jane"}},
	}))
	role := func(name string, rules ...*rbacv1.PolicyRule) error {
		return c.create(jane, at(rbac.Group, "roles", "shop", ""), &rbacv1.Role{Metadata: meta("shop", name), Rules: rules})
	}
	binding := func(name, kind, to string) error {
		return c.create(jane, at(rbac.Group, "rolebindings", "shop", name), &rbacv1.RoleBinding{
			Metadata: meta("shop", name), RoleRef: &rbacv1.RoleRef{ApiGroup: rbac.Group, Kind: kind, Name: to},
			Subjects: []*rbacv1.Subject{{Kind: "User", ApiGroup: rbac.Group, Name: "bob"}},
		})
	}
	wantError(t, role("reader", &rbacv1.PolicyRule{Verbs: []string{"get"}, ApiGroups: []string{""}, Resources: []string{"pods"}}), "")
	wantError(t, role("nodes", &rbacv1.PolicyRule{Verbs: []string{"get", "list"}, ApiGroups: []string{""}, Resources: []string{"nodes"}}),
		`roles.rbac.authorization.k8s.io "nodes" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:`+
			"\n"+`{APIGroups:[""], Resources:["nodes"], Verbs:["get", "list"]}`)
	wantError(t, binding("reader", "Role", "reader"), "")
	wantError(t, binding("views", "ClusterRole", "view"), "")
	wantError(t, binding("missing", "Role", "missing"), `roles.rbac.authorization.k8s.io "missing" not found`)
	if err := binding("root", "ClusterRole", "cluster-admin"); !apierrors.IsForbidden(err) ||
		!strings.Contains(err.Error(), `{APIGroups:["*"], Resources:["*"], Verbs:["*"]}`) {
		t.Errorf("got %v", err)
	}
	// "bind" on one role lifts the restriction for it.
	c.must(c.create(admin, at(rbac.Group, "clusterroles", "", "binder"), &rbacv1.ClusterRole{
		Metadata: meta("", "binder"),
		Rules:    []*rbacv1.PolicyRule{{Verbs: []string{"bind"}, ApiGroups: []string{rbac.Group}, Resources: []string{"clusterroles"}, ResourceNames: []string{"cluster-admin"}}},
	}))
	c.must(c.create(admin, at(rbac.Group, "clusterrolebindings", "", "binder"), &rbacv1.ClusterRoleBinding{
		Metadata: meta("", "binder"), RoleRef: &rbacv1.RoleRef{ApiGroup: rbac.Group, Kind: "ClusterRole", Name: "binder"},
		Subjects: []*rbacv1.Subject{{Kind: "User", ApiGroup: rbac.Group, Name: "jane"}},
	}))
	wantError(t, binding("root", "ClusterRole", "cluster-admin"), "")
}

func TestReviews(t *testing.T) {
	c := start(t)
	ask := func(u *identity.User, verb, resource string) *authorizationv1.SubjectAccessReviewStatus {
		t.Helper()
		it, err := c.createItem(u, at("authorization.k8s.io", "selfsubjectaccessreviews", "", ""), &authorizationv1.SelfSubjectAccessReview{
			Spec: &authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: resource, Namespace: "shop"}},
		})
		c.must(err)
		review := &authorizationv1.SelfSubjectAccessReview{}
		c.must(it.Unmarshal(review))
		return review.GetStatus()
	}
	if !ask(admin, "delete", "pods").GetAllowed() {
		t.Error("an admin cannot delete pods")
	}
	if ask(jane, "delete", "pods").GetAllowed() {
		t.Error("jane can delete pods")
	}
	it, err := c.createItem(admin, at("authorization.k8s.io", "subjectaccessreviews", "", ""), &authorizationv1.SubjectAccessReview{
		Spec: &authorizationv1.SubjectAccessReviewSpec{
			User: "system:kube-scheduler", ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "create", Resource: "pods", Subresource: "binding"},
		},
	})
	c.must(err)
	review := &authorizationv1.SubjectAccessReview{}
	c.must(it.Unmarshal(review))
	if s := review.GetStatus(); !s.GetAllowed() || !strings.Contains(s.GetReason(), `ClusterRoleBinding "system:kube-scheduler"`) {
		t.Errorf("got %v", s)
	}
	_, err = c.createItem(admin, at("authorization.k8s.io", "subjectaccessreviews", "", ""), &authorizationv1.SubjectAccessReview{
		Spec: &authorizationv1.SubjectAccessReviewSpec{},
	})
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "at least one of user or group must be specified") ||
		!strings.Contains(err.Error(), "exactly one of nonResourceAttributes or resourceAttributes must be specified") {
		t.Errorf("got %v", err)
	}
	it, err = c.createItem(jane, at("authorization.k8s.io", "selfsubjectrulesreviews", "", ""), &authorizationv1.SelfSubjectRulesReview{
		Spec: &authorizationv1.SelfSubjectRulesReviewSpec{Namespace: "shop"},
	})
	c.must(err)
	rules := &authorizationv1.SelfSubjectRulesReview{}
	c.must(it.Unmarshal(rules))
	if s := rules.GetStatus(); s.GetIncomplete() || len(s.GetResourceRules()) == 0 || len(s.GetNonResourceRules()) == 0 {
		t.Errorf("got %v", s)
	}
}

// TestNode walks through what a kubelet does, and what it must not.
func TestNode(t *testing.T) {
	c := start(t)
	c.must(c.create(admin, at("", "namespaces", "", "shop"), &corev1.Namespace{Metadata: meta("", "shop")}))
	for _, name := range []string{"mine", "theirs"} {
		c.must(c.create(admin, at("", "secrets", "shop", name), &corev1.Secret{Metadata: meta("shop", name)}))
		c.must(c.create(admin, at("", "serviceaccounts", "shop", name), &corev1.ServiceAccount{Metadata: meta("shop", name)}))
	}
	pod := func(name, node, secret string) *corev1.Pod {
		return &corev1.Pod{Metadata: meta("shop", name), Spec: &corev1.PodSpec{
			NodeName: node, ServiceAccountName: secret,
			Containers: []*corev1.Container{{Name: "c", Image: "i"}},
			Volumes:    []*corev1.Volume{{Name: "v", VolumeSource: &corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}}},
		}}
	}
	c.must(c.create(admin, at("", "pods", "shop", "a"), pod("a", "n1", "mine")))
	c.must(c.create(admin, at("", "pods", "shop", "b"), pod("b", "n2", "theirs")))

	wantError(t, c.get(n1, at("", "secrets", "shop", "mine")), "")
	if err := c.get(n1, at("", "secrets", "shop", "theirs")); !apierrors.IsForbidden(err) ||
		!strings.HasSuffix(err.Error(), "node: no relationship found between node 'n1' and this object") {
		t.Errorf("got %v", err)
	}
	wantError(t, c.get(n1, at("", "pods", "shop", "a")), "")
	if err := c.get(n1, at("", "pods", "shop", "b")); !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
	pods := func(selector string) error {
		w, err := c.server.Watch(c.as(n1), &resourcev1.WatchOpen{Selection: &resourcev1.Selection{
			Resource: &resourcev1.Resource{Plural: "pods"}, FieldSelector: selector,
		}})
		if err == nil {
			w.Close()
		}
		return err
	}
	wantError(t, pods("spec.nodeName=n1"), "")
	for _, selector := range []string{"", "spec.nodeName=n2", "spec.nodeName!=n1"} {
		if err := pods(selector); !apierrors.IsForbidden(err) {
			t.Errorf("watch of pods by %q: %v", selector, err)
		}
	}

	own := &corev1.Node{Metadata: &metav1.ObjectMeta{Name: "n1", Labels: map[string]string{"kubernetes.io/hostname": "n1", "team": "x"}}}
	wantError(t, c.create(n1, at("", "nodes", "", "n1"), own), "")
	wantError(t, c.create(n1, at("", "nodes", "", "n3"), &corev1.Node{Metadata: meta("", "n3")}),
		`nodes "n3" is forbidden: node "n1" is not allowed to modify node "n3"`)
	it, err := c.server.Get(c.as(n1), &resourcev1.GetRequest{Ref: at("", "nodes", "", "n1")})
	c.must(err)
	change := func(f func(n *corev1.Node)) error {
		n := &corev1.Node{}
		c.must(decode(it, n))
		f(n)
		return c.update(n1, at("", "nodes", "", "n1"), n)
	}
	wantError(t, change(func(n *corev1.Node) {
		n.Spec = &corev1.NodeSpec{Taints: []*corev1.Taint{{Key: "k", Effect: "NoSchedule"}}}
	}),
		`nodes "n1" is forbidden: node "n1" is not allowed to modify taints`)
	wantError(t, change(func(n *corev1.Node) { n.Metadata.Labels["node-restriction.kubernetes.io/x"] = "y" }),
		`nodes "n1" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/x`)
	wantError(t, change(func(n *corev1.Node) { n.Metadata.Labels["team"] = "y" }), "")

	wantError(t, c.create(n1, at("", "pods", "shop", "new"), pod("new", "n1", "theirs")),
		`pods "new" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods`)
	_, err = c.server.Delete(c.as(n1), &resourcev1.DeleteRequest{Ref: at("", "pods", "shop", "b")})
	wantError(t, err, `pods "b" is forbidden: node "n1" can only delete pods with spec.nodeName set to itself`)
	_, err = c.server.Patch(c.as(n1), &resourcev1.PatchRequest{
		Ref:  &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Plural: "pods"}, Namespace: "shop", Name: "b", Subresource: "status"},
		Type: resourcev1.PatchType_PATCH_TYPE_MERGE, Patch: []byte(`{"status":{"phase":"Failed"}}`),
	})
	wantError(t, err, `pods "b" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself`)
}

package node

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/schema"
)

func object(name string) *corev1.LocalObjectReference {
	return &corev1.LocalObjectReference{Name: name}
}

// fullPod refers to objects in every way there is; each name says which.
func fullPod(name, node string) *corev1.Pod {
	env := func(prefix string) []*corev1.EnvVar {
		return []*corev1.EnvVar{
			{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: object(prefix + "-env")}}},
			{ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: object(prefix + "-env")}}},
			{Value: "plain"},
		}
	}
	from := func(prefix string) []*corev1.EnvFromSource {
		return []*corev1.EnvFromSource{
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: object(prefix + "-from")}},
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: object(prefix + "-from")}},
		}
	}
	volume := func(name string, s *corev1.VolumeSource) *corev1.Volume {
		return &corev1.Volume{Name: name, VolumeSource: s}
	}
	return &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Namespace: "shop", Name: name, Uid: "uid-" + name},
		Spec: &corev1.PodSpec{
			NodeName: node, ServiceAccountName: "robot", ImagePullSecrets: []*corev1.LocalObjectReference{object("pull")},
			InitContainers:      []*corev1.Container{{Env: env("init"), EnvFrom: from("init")}},
			Containers:          []*corev1.Container{{Env: env("main"), EnvFrom: from("main")}},
			EphemeralContainers: []*corev1.EphemeralContainer{{EphemeralContainerCommon: &corev1.EphemeralContainerCommon{Env: env("debug"), EnvFrom: from("debug")}}},
			Volumes: []*corev1.Volume{
				volume("s", &corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "volume"}}),
				volume("c", &corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: object("volume")}}),
				volume("p", &corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []*corev1.VolumeProjection{
					{Secret: &corev1.SecretProjection{LocalObjectReference: object("projected")}},
					{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: object("projected")}},
					{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "vault"}},
				}}}),
				volume("claim", &corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "claim"}}),
				volume("scratch", &corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}),
				volume("csi", &corev1.VolumeSource{Csi: &corev1.CSIVolumeSource{NodePublishSecretRef: object("csi")}}),
			},
		},
	}
}

func TestRefs(t *testing.T) {
	got := map[kind][]string{}
	for _, r := range refsOf(fullPod("a", "n1")) {
		got[r.kind] = append(got[r.kind], r.name)
	}
	for k := range got {
		slices.Sort(got[k])
	}
	want := map[kind][]string{
		kindSecret:         {"csi", "debug-env", "debug-from", "init-env", "init-from", "main-env", "main-from", "projected", "pull", "volume"},
		kindConfigMap:      {"debug-env", "debug-from", "init-env", "init-from", "main-env", "main-from", "projected", "volume"},
		kindClaim:          {"a-scratch", "claim"},
		kindServiceAccount: {"robot"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGraphChanges(t *testing.T) {
	g := NewGraph()
	uses := func(node string) bool { return g.uses(node, "shop", kindSecret, "volume") }
	g.SetPod(fullPod("a", ""))
	if uses("n1") || uses("") {
		t.Error("an unbound pod gives somebody something")
	}
	g.SetPod(fullPod("a", "n1"))
	g.SetPod(fullPod("b", "n1"))
	g.SetPod(fullPod("c", "n2"))
	g.SetPod(fullPod("c", "n2"))
	g.DeletePod("shop", "a")
	if !uses("n1") || !uses("n2") {
		t.Error("a pod that is left lost its secret")
	}
	if g.uses("n1", "other", kindSecret, "volume") {
		t.Error("the secret of another namespace")
	}
	g.DeletePod("shop", "b")
	if uses("n1") {
		t.Error("the node still uses what no pod on it does")
	}
	mirror := fullPod("m", "n3")
	mirror.Metadata.Annotations = map[string]string{mirrorAnnotation: "x"}
	g.SetPod(mirror)
	if uses("n3") || !g.runs("n3", "shop", "m") {
		t.Error("a mirror pod counts as proof")
	}
	g.DeletePod("shop", "c")
	g.DeletePod("shop", "c")
	g.DeletePod("shop", "m")
	if len(g.edges)+len(g.pods) != 0 {
		t.Errorf("left behind: %v %v", g.edges, g.pods)
	}
}

var nodeUser = &identity.User{Name: "system:node:n1", Groups: []string{identity.GroupNodes, identity.GroupAuthenticated}}

func testAuthorizer() *Authorizer {
	g := NewGraph()
	g.SetPod(fullPod("mine", "n1"))
	theirs := fullPod("theirs", "n2")
	theirs.Spec.Volumes = append(theirs.Spec.Volumes, &corev1.Volume{VolumeSource: &corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "other"}}})
	g.SetPod(theirs)
	return NewAuthorizer(g, []*rbacv1.PolicyRule{
		{Verbs: []string{"create", "get", "list", "watch", "update", "patch"}, ApiGroups: []string{""}, Resources: []string{"nodes"}},
		{Verbs: []string{"update", "patch"}, ApiGroups: []string{""}, Resources: []string{"nodes/status", "pods/status"}},
		{Verbs: []string{"create", "delete"}, ApiGroups: []string{""}, Resources: []string{"pods"}},
		{Verbs: []string{"create"}, ApiGroups: []string{""}, Resources: []string{"pods/eviction", "events"}},
	})
}

func TestAuthorizer(t *testing.T) {
	const unrelated = "no relationship found between node 'n1' and this object"
	a := func(verb, resource, name string) pipeline.Attributes {
		parent, sub, _ := strings.Cut(resource, "/")
		return pipeline.Attributes{User: nodeUser, Verb: verb, Resource: parent, Subresource: sub, Namespace: "shop", Name: name}
	}
	with := func(x pipeline.Attributes, change func(*pipeline.Attributes)) pipeline.Attributes {
		change(&x)
		return x
	}
	fields := func(selector string) func(*pipeline.Attributes) {
		return func(x *pipeline.Attributes) { x.FieldSelector = selector }
	}
	namespace := func(ns string) func(*pipeline.Attributes) { return func(x *pipeline.Attributes) { x.Namespace = ns } }
	as := func(name string, groups ...string) func(*pipeline.Attributes) {
		return func(x *pipeline.Attributes) { x.User = &identity.User{Name: name, Groups: groups} }
	}
	lease := func(verb, ns, name string) pipeline.Attributes {
		return pipeline.Attributes{User: nodeUser, Verb: verb, Group: "coordination.k8s.io", Resource: "leases", Namespace: ns, Name: name}
	}
	cases := []struct {
		name   string
		a      pipeline.Attributes
		want   pipeline.Decision
		reason string
	}{
		{"own secret", a("get", "secrets", "volume"), pipeline.Allow, ""},
		{"own secret, listed by name", with(a("list", "secrets", ""), fields("metadata.name=volume")), pipeline.Allow, ""},
		{"own secret, watched by name", with(a("watch", "secrets", ""), fields("metadata.name==volume")), pipeline.Allow, ""},
		{"own secret, watched by name among others", with(a("watch", "secrets", ""), fields("type=Opaque,metadata.name=volume")), pipeline.Allow, ""},
		{"all secrets", a("list", "secrets", ""), pipeline.NoOpinion, "No Object name found"},
		{"all secrets but one", with(a("list", "secrets", ""), fields("metadata.name!=volume")), pipeline.NoOpinion, "No Object name found"},
		{"all secrets everywhere", with(a("list", "secrets", ""), namespace("")), pipeline.NoOpinion, "can only read namespaced object of this type"},
		{"another node's secret", a("get", "secrets", "other"), pipeline.NoOpinion, unrelated},
		{"another node's secret, watched", with(a("watch", "secrets", ""), fields("metadata.name=other")), pipeline.NoOpinion, unrelated},
		{"the same name elsewhere", with(a("get", "secrets", "volume"), namespace("other")), pipeline.NoOpinion, unrelated},
		{"writing a secret", a("update", "secrets", "volume"), pipeline.NoOpinion, "can only read resources of this type"},
		{"deleting secrets", a("deletecollection", "secrets", ""), pipeline.NoOpinion, "can only read resources of this type"},
		{"secret's subresource", a("get", "secrets/x", "volume"), pipeline.NoOpinion, "cannot read subresource"},
		{"own config map", a("get", "configmaps", "main-env"), pipeline.Allow, ""},
		{"another's config map", a("get", "configmaps", "x"), pipeline.NoOpinion, unrelated},
		{"own claim", a("get", "persistentvolumeclaims", "claim"), pipeline.Allow, ""},
		{"own claim, listed", with(a("list", "persistentvolumeclaims", ""), fields("metadata.name=claim")), pipeline.NoOpinion, "can only get individual resources of this type"},
		{"own account's token", a("create", "serviceaccounts/token", "robot"), pipeline.Allow, ""},
		{"another account's token", a("create", "serviceaccounts/token", "root"), pipeline.NoOpinion, unrelated},
		{"own account", a("get", "serviceaccounts", "robot"), pipeline.NoOpinion, "can only create tokens for individual service accounts"},
		{"creating an account", a("create", "serviceaccounts", "robot"), pipeline.NoOpinion, "can only create token subresource of service account"},
		{"own pod", a("get", "pods", "mine"), pipeline.Allow, ""},
		{"another node's pod", a("get", "pods", "theirs"), pipeline.NoOpinion, unrelated},
		{"own pods", with(a("watch", "pods", ""), fields("spec.nodeName=n1")), pipeline.Allow, ""},
		{"own pods everywhere", with(with(a("list", "pods", ""), fields("spec.nodeName=n1")), namespace("")), pipeline.Allow, ""},
		{"own pod, watched by name", with(a("watch", "pods", ""), fields("metadata.name=mine")), pipeline.Allow, ""},
		{"another node's pods", with(a("list", "pods", ""), fields("spec.nodeName=n2")), pipeline.NoOpinion, "can only list/watch pods with spec.nodeName field selector"},
		{"all pods", a("list", "pods", ""), pipeline.NoOpinion, "can only list/watch pods with spec.nodeName field selector"},
		{"pod status", a("patch", "pods/status", "mine"), pipeline.Allow, ""},
		{"own pod's eviction", a("create", "pods/eviction", "mine"), pipeline.Allow, ""},
		{"another's eviction", a("create", "pods/eviction", "theirs"), pipeline.NoOpinion, unrelated},
		{"pod log", a("get", "pods/log", "mine"), pipeline.NoOpinion, "can only get pods directly, not via subresource"},
		{"exec", a("create", "pods/exec", "mine"), pipeline.NoOpinion, ""},
		{"nodes", with(a("list", "nodes", ""), namespace("")), pipeline.Allow, ""},
		{"own heartbeat", lease("update", "kube-node-lease", "n1"), pipeline.Allow, ""},
		{"own heartbeat, created without a name", lease("create", "kube-node-lease", ""), pipeline.Allow, ""},
		{"another's heartbeat", lease("update", "kube-node-lease", "n2"), pipeline.NoOpinion, "can only access node lease with the same name as the requesting node"},
		{"another's heartbeat, created", lease("create", "kube-node-lease", "n2"), pipeline.NoOpinion, "can only access node lease with the same name as the requesting node"},
		{"a lease elsewhere", lease("get", "kube-system", "n1"), pipeline.NoOpinion, `can only access leases in the "kube-node-lease" system namespace`},
		{"all leases", lease("list", "kube-node-lease", ""), pipeline.NoOpinion, "can only get, create, update, patch, or delete a node lease"},
		{"something else", a("create", "events", "x"), pipeline.Allow, ""},
		{"something forbidden", a("create", "deployments", "x"), pipeline.NoOpinion, ""},
		{"a path", pipeline.Attributes{User: nodeUser, Verb: "get", Path: "/metrics"}, pipeline.NoOpinion, ""},
		{"not a node", with(a("get", "secrets", "volume"), as("jane")), pipeline.NoOpinion, ""},
		{"a node's name without the group", with(a("get", "secrets", "volume"), as("system:node:n1")), pipeline.NoOpinion, ""},
		{"the group without a node's name", with(a("get", "secrets", "volume"), as("n1", identity.GroupNodes)), pipeline.NoOpinion, ""},
		{"a node without a name", with(a("get", "secrets", "volume"), as("system:node:", identity.GroupNodes)), pipeline.NoOpinion, `unknown node for user "system:node:"`},
	}
	z := testAuthorizer()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, reason, err := z.Authorize(context.Background(), c.a)
			if got != c.want || reason != c.reason || err != nil {
				t.Errorf("got %v %q %v, want %v %q", got, reason, err, c.want, c.reason)
			}
		})
	}
}

func kindOf(t *testing.T, group, plural string) *schema.Kind {
	t.Helper()
	k, ok := schema.Builtin().ByResource(group, "v1", plural)
	if !ok {
		t.Fatalf("no kind %s", plural)
	}
	return k
}

func TestRestriction(t *testing.T) {
	mirror := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{
			Metadata: &metav1.ObjectMeta{Namespace: "shop", Name: "p", Annotations: map[string]string{mirrorAnnotation: "x"}},
			Spec:     &corev1.PodSpec{NodeName: "n1"},
		}
		if change != nil {
			change(p)
		}
		return p
	}
	nodeWith := func(labels map[string]string, taints ...string) *corev1.Node {
		n := &corev1.Node{Metadata: &metav1.ObjectMeta{Name: "n1", Labels: labels}, Spec: &corev1.NodeSpec{}}
		for _, key := range taints {
			n.Spec.Taints = append(n.Spec.Taints, &corev1.Taint{Key: key, Effect: "NoSchedule"})
		}
		return n
	}
	type labels = map[string]string
	cases := []struct {
		name, plural, sub string
		op                admission.Operation
		obj, old          admission.Object
		user              *identity.User
		want              string
	}{
		{name: "somebody else", plural: "pods", op: admission.Create, obj: fullPod("p", "n2"), user: &identity.User{Name: "jane"}},
		{name: "mirror pod", plural: "pods", op: admission.Create, obj: mirror(nil)},
		{name: "plain pod", plural: "pods", op: admission.Create, obj: fullPod("p", "n1"), want: `can only create mirror pods`},
		{name: "mirror pod on another node", plural: "pods", op: admission.Create, obj: mirror(func(p *corev1.Pod) { p.Spec.NodeName = "n2" }), want: "with spec.nodeName set to itself"},
		{name: "mirror pod with an account", plural: "pods", op: admission.Create, obj: mirror(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "x" }), want: "can not create pods that reference a service account"},
		{name: "mirror pod with a secret", plural: "pods", op: admission.Create, obj: mirror(func(p *corev1.Pod) { p.Spec.ImagePullSecrets = []*corev1.LocalObjectReference{object("x")} }), want: "can not create pods that reference secrets"},
		{name: "mirror pod of another owner", plural: "pods", op: admission.Create, obj: mirror(func(p *corev1.Pod) {
			p.Metadata.OwnerReferences = []*metav1.OwnerReference{{ApiVersion: "v1", Kind: "Node", Name: "n2"}}
		}), want: "owner reference set to itself"},
		{name: "deleting its pod", plural: "pods", op: admission.Delete, old: fullPod("p", "n1")},
		{name: "deleting another's pod", plural: "pods", op: admission.Delete, old: fullPod("p", "n2"), want: "can only delete pods with spec.nodeName set to itself"},
		{name: "deleting an unbound pod", plural: "pods", op: admission.Delete, old: fullPod("p", ""), want: "can only delete pods with spec.nodeName set to itself"},
		{name: "its pod's status", plural: "pods", sub: "status", op: admission.Update, obj: fullPod("p", "n1"), old: fullPod("p", "n1")},
		{name: "another's pod's status", plural: "pods", sub: "status", op: admission.Update, obj: fullPod("p", "n1"), old: fullPod("p", "n2"), want: "can only update pod status"},
		{name: "labels through status", plural: "pods", sub: "status", op: admission.Update, obj: mirror(func(p *corev1.Pod) { p.Metadata.Labels = labels{"a": "b"} }), old: mirror(nil), want: "cannot update labels through pod status"},
		{name: "its pod's spec", plural: "pods", op: admission.Update, obj: fullPod("p", "n1"), old: fullPod("p", "n1"), want: "unexpected operation"},
		{name: "another subresource", plural: "pods", sub: "binding", op: admission.Create, want: "unexpected pod subresource"},
		{name: "registering", plural: "nodes", op: admission.Create, obj: nodeWith(labels{"kubernetes.io/hostname": "n1", "topology.kubernetes.io/zone": "z", "kubelet.kubernetes.io/x": "y", "example.com/x": "y", "plain": "x"}, "k")},
		{name: "registering with a reserved label", plural: "nodes", op: admission.Create, obj: nodeWith(labels{"node-role.kubernetes.io/master": ""}), want: "is not allowed to set the following labels: node-role.kubernetes.io/master"},
		{name: "registering with a restricted label", plural: "nodes", op: admission.Create, obj: nodeWith(labels{"a.node-restriction.kubernetes.io/x": ""}), want: "is not allowed to set the following labels: a.node-restriction.kubernetes.io/x"},
		{name: "its taints", plural: "nodes", op: admission.Update, obj: nodeWith(nil), old: nodeWith(nil, "k"), want: "is not allowed to modify taints"},
		{name: "its labels", plural: "nodes", op: admission.Update, obj: nodeWith(labels{"a": "b"}), old: nodeWith(labels{"c": "d"})},
		{name: "a label that it was given", plural: "nodes", op: admission.Update, obj: nodeWith(nil), old: nodeWith(labels{"node-restriction.kubernetes.io/x": ""}), want: "is not allowed to modify labels: node-restriction.kubernetes.io/x"},
		{name: "a label that it was given and keeps", plural: "nodes", sub: "status", op: admission.Update, obj: nodeWith(labels{"node-restriction.kubernetes.io/x": ""}), old: nodeWith(labels{"node-restriction.kubernetes.io/x": ""})},
		{name: "deleting itself", plural: "nodes", op: admission.Delete, old: nodeWith(nil), want: "is not allowed to delete node"},
	}
	p := NewRestriction(NewGraph(), nil, func(context.Context) error { return nil })
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := &admission.Request{Operation: c.op, Kind: kindOf(t, "", c.plural), Subresource: c.sub, Object: c.obj, Old: c.old, User: nodeUser, Name: "n1"}
			if c.plural == "pods" {
				r.Namespace, r.Name = "shop", "p"
			}
			if c.user != nil {
				r.User = c.user
			}
			var before proto.Message
			if c.obj != nil {
				before = proto.Clone(c.obj)
			}
			err := p.Validate(context.Background(), r)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if before != nil && !proto.Equal(before, c.obj) {
				t.Error("the object was changed")
			}
		})
	}
}

func TestAllowDoesNotAllocate(t *testing.T) {
	z := testAuthorizer()
	a := pipeline.Attributes{User: nodeUser, Verb: "watch", Resource: "secrets", Namespace: "shop", FieldSelector: "metadata.name=volume"}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = z.Authorize(context.Background(), a) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

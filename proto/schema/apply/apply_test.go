package apply

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

const manifest = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"d","labels":{"app":"web"}},"spec":{
	"replicas":2,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[
	{"name":"a","image":"x:1","ports":[{"containerPort":80}],"env":[{"name":"E","value":"1"}]}]}}}}`

func kind(t testing.TB) *schema.Kind {
	k, ok := schema.Builtin().ByResource("apps", "v1", "deployments")
	if !ok {
		t.Fatal("no deployments")
	}
	return k
}

func read(t testing.TB, text string) *appsv1.Deployment {
	t.Helper()
	d := &appsv1.Deployment{}
	if _, err := codec.Unmarshal([]byte(text), d, codec.DecodeOptions{}); err != nil {
		t.Fatal(err)
	}
	return d
}

func treeOf(t testing.TB, text string) map[string]any {
	t.Helper()
	v, err := codec.ParseTree([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

func nodeOf(t testing.TB, text string) *codec.Node {
	t.Helper()
	n, err := codec.ParseNode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &n
}

// at is the time of the nth write of a test.
func at(n int) time.Time { return time.Unix(1_700_000_000+int64(n), 0) }

func jsonOf(t testing.TB, m proto.Message) map[string]any {
	t.Helper()
	tree, err := codec.ToTree(m)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func owned(t testing.TB, list []*metav1.ManagedFieldsEntry, name string) string {
	t.Helper()
	for _, e := range list {
		if e.Manager == name {
			return string(e.GetFieldsV1().GetRaw())
		}
	}
	return ""
}

// applyTo does what the server does: merge, read, default.
func applyTo(t testing.TB, live *appsv1.Deployment, config, manager string, force bool, n int) (*appsv1.Deployment, error) {
	t.Helper()
	r := Request{Kind: kind(t), Config: nodeOf(t, config), Writer: Writer{Manager: manager, Now: at(n)}, Force: force}
	if live != nil {
		r.Live = live
	}
	res, err := Apply(r)
	if err != nil {
		return nil, err
	}
	d := res.Object.(*appsv1.Deployment)
	kind(t).Default(d)
	return d, nil
}

func TestTrackCreate(t *testing.T) {
	d := read(t, manifest)
	if err := Track(kind(t), nil, d, Writer{Manager: "m", Now: at(0)}); err != nil {
		t.Fatal(err)
	}
	want := `{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},
		"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:env":{".":{},"k:{\"name\":\"E\"}":{".":{},"f:name":{},"f:value":{}}},"f:image":{},"f:name":{},
		"f:ports":{".":{},"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}},"f:resources":{}}}}}}}`
	got := owned(t, d.Metadata.ManagedFields, "m")
	if diff := cmp.Diff(treeOf(t, want), treeOf(t, got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	e := d.Metadata.ManagedFields[0]
	if e.Operation != "Update" || e.ApiVersion != "apps/v1" || e.FieldsType != "FieldsV1" || e.GetTime().GetSeconds() != at(0).Unix() {
		t.Errorf("entry %v", e)
	}
}

func TestTrackUpdate(t *testing.T) {
	k := kind(t)
	d := read(t, manifest)
	if err := Track(k, nil, d, Writer{Manager: "a", Now: at(0)}); err != nil {
		t.Fatal(err)
	}
	same := proto.CloneOf(d)
	if err := Track(k, d, same, Writer{Manager: "b", Now: at(1)}); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(d, same) {
		t.Error("a write without a change changed the managed fields")
	}
	scaled := proto.CloneOf(d)
	scaled.Spec.Replicas = proto.Int32(5)
	scaled.Spec.Template.Spec.Containers[0].Env = nil
	scaled.Metadata.ManagedFields = nil // clients that know nothing of them
	if err := Track(k, d, scaled, Writer{Manager: "b", Now: at(2)}); err != nil {
		t.Fatal(err)
	}
	if got := owned(t, scaled.Metadata.ManagedFields, "b"); got != `{"f:spec":{"f:replicas":{}}}` {
		t.Errorf("b owns %s", got)
	}
	if got := owned(t, scaled.Metadata.ManagedFields, "a"); strings.Contains(got, "replicas") || strings.Contains(got, "f:env") {
		t.Errorf("a still owns %s", got)
	}
	status := proto.CloneOf(scaled)
	status.Status = &appsv1.DeploymentStatus{Replicas: 5}
	status.Metadata.ManagedFields = []*metav1.ManagedFieldsEntry{{}}
	if err := Track(k, scaled, status, Writer{Manager: "b", Subresource: "status", Now: at(3)}); err != nil {
		t.Fatal(err)
	}
	if n := len(status.Metadata.ManagedFields); n != 3 {
		t.Errorf("%d entries after a write of the status", n)
	}
	reset := proto.CloneOf(status)
	reset.Metadata.ManagedFields = []*metav1.ManagedFieldsEntry{{}}
	if err := Track(k, status, reset, Writer{Manager: "c", Now: at(4)}); err != nil {
		t.Fatal(err)
	}
	if n := len(reset.Metadata.ManagedFields); n != 0 {
		t.Errorf("%d entries after a reset", n)
	}
}

func TestTrackLimitsUpdaters(t *testing.T) {
	k := kind(t)
	d := read(t, manifest)
	for i := range 15 {
		next := proto.CloneOf(d)
		next.Metadata.Labels[string(rune('a'+i))] = "x"
		var live proto.Message
		if i > 0 {
			live = d
		}
		if err := Track(k, live, next, Writer{Manager: string(rune('a' + i)), Now: at(i)}); err != nil {
			t.Fatal(err)
		}
		d = next
	}
	if n := len(d.Metadata.ManagedFields); n != MaxUpdaters {
		t.Errorf("%d entries", n)
	}
	if owned(t, d.Metadata.ManagedFields, ancient) == "" {
		t.Error("no ancient-changes")
	}
}

func TestApplyCreatesOwnsAndPrunes(t *testing.T) {
	d, err := applyTo(t, nil, manifest, "kubectl", false, 0)
	if err != nil {
		t.Fatal(err)
	}
	e := d.Metadata.ManagedFields[0]
	if e.Operation != "Apply" || strings.Contains(string(e.FieldsV1.Raw), "strategy") {
		t.Errorf("entry %v", e)
	}
	again, err := applyTo(t, d, manifest, "kubectl", false, 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(jsonOf(t, d), jsonOf(t, again)); diff != "" {
		t.Errorf("applying the same again changed something: -before +after\n%s", diff)
	}
	less := strings.Replace(manifest, `,"env":[{"name":"E","value":"1"}]`, "", 1)
	pruned, err := applyTo(t, d, less, "kubectl", false, 2)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(pruned.Spec.Template.Spec.Containers[0].Env); n != 0 {
		t.Errorf("%d environment variables left", n)
	}
	if pruned.Spec.Template.Spec.Containers[0].TerminationMessagePath == "" {
		t.Error("the container lost its defaults")
	}
}

func TestApplyConflict(t *testing.T) {
	k := kind(t)
	d := read(t, manifest)
	k.Default(d)
	if err := Track(k, nil, d, Writer{Manager: "kubectl-client-side-apply", Now: at(0)}); err != nil {
		t.Fatal(err)
	}
	config := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"d"},"spec":{"replicas":3}}`
	_, err := applyTo(t, d, config, "me", false, 1)
	if !apierrors.IsConflict(err) {
		t.Fatalf("got %v", err)
	}
	const want = `Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas`
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.Status.GetMessage() != want {
		t.Errorf("message %q", err)
	}
	c := status.Status.GetDetails().GetCauses()
	if len(c) != 1 || c[0].Reason != "FieldManagerConflict" || c[0].Field != ".spec.replicas" ||
		c[0].Message != `conflict with "kubectl-client-side-apply" using apps/v1` {
		t.Errorf("causes %v", c)
	}
	forced, err := applyTo(t, d, config, "me", true, 1)
	if err != nil {
		t.Fatal(err)
	}
	if forced.Spec.GetReplicas() != 3 || strings.Contains(owned(t, forced.Metadata.ManagedFields, "kubectl-client-side-apply"), "replicas") {
		t.Errorf("forcing did not take replicas over: %v", forced.Metadata.ManagedFields)
	}
}

func TestApplyAfterClientSideApply(t *testing.T) {
	k := kind(t)
	d := read(t, manifest)
	var last any
	if err := json.Unmarshal([]byte(manifest), &last); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(last)
	d.Metadata.Annotations = map[string]string{lastAppliedConfig: string(text)}
	k.Default(d)
	if err := Track(k, nil, d, Writer{Manager: "kubectl-client-side-apply", Now: at(0)}); err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(manifest, `"replicas":2`, `"replicas":4`, 1)
	got, err := applyTo(t, d, changed, "kubectl", false, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got.Spec.GetReplicas() != 4 || !strings.Contains(got.Metadata.Annotations[lastAppliedConfig], `"replicas":4`) {
		t.Errorf("replicas %d, annotation %s", got.Spec.GetReplicas(), got.Metadata.Annotations[lastAppliedConfig])
	}
	if _, err := applyTo(t, d, changed, "somebody", false, 1); !apierrors.IsConflict(err) {
		t.Errorf("another manager: %v", err)
	}
}

func TestApplyRefuses(t *testing.T) {
	for _, c := range []struct{ name, config, want string }{
		{"unknown field", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"foo":1}}`, ".spec.foo: field not declared in schema"},
		{"wrong type", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":"x"}}`, ".spec.replicas: expected numeric"},
		{"version", `{"apiVersion":"apps/v2","kind":"Deployment","metadata":{"name":"web"}}`, "Incorrect version specified in apply patch"},
		{"managed fields", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","managedFields":[]}}`, "metadata.managedFields must be nil"},
		{"duplicates", `{"apiVersion":"apps/v1","kind":"Deployment","spec":{"template":{"spec":{"containers":[{"name":"a"},{"name":"a"}]}}}}`, "duplicate entries for key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := applyTo(t, nil, c.config, "m", false, 0)
			if !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func BenchmarkTrackCreate(b *testing.B) {
	k, d := kind(b), read(b, manifest)
	k.Default(d)
	b.ReportAllocs()
	for b.Loop() {
		d.Metadata.ManagedFields = nil
		if err := Track(k, nil, d, Writer{Manager: "m", Now: at(0)}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTrackStatus(b *testing.B) {
	k, d := kind(b), read(b, manifest)
	k.Default(d)
	if err := Track(k, nil, d, Writer{Manager: "m", Now: at(0)}); err != nil {
		b.Fatal(err)
	}
	next := proto.CloneOf(d)
	next.Status = &appsv1.DeploymentStatus{Replicas: 3}
	b.ReportAllocs()
	for b.Loop() {
		next.Metadata.ManagedFields = d.Metadata.ManagedFields
		if err := Track(k, d, next, Writer{Manager: "c", Subresource: "status", Now: at(1)}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	k := kind(b)
	d, err := applyTo(b, nil, manifest, "kubectl", false, 0)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, config string }{{"no-op", manifest}, {"change", strings.Replace(manifest, "x:1", "x:2", 1)}} {
		b.Run(c.name+"/nodes", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				config := nodeOf(b, c.config)
				if _, err := Apply(Request{Kind: k, Live: d, Config: config, Writer: Writer{Manager: "kubectl", Now: at(1)}}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/structured-merge-diff", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := applyByOracle(k, d, []byte(c.config), Writer{Manager: "kubectl", Now: at(1)}, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

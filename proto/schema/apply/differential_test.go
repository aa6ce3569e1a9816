package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/randmsg"
)

// A subject of the differential test: a kind, and the values that its fields take turns with. A number of the same values
// again and again makes managers agree, disagree and share.
type subject struct {
	kind *schema.Kind
	// base is what every configuration has.
	base string
	// fields are paths with values for them, in JSON.
	fields []choice
}

type choice struct {
	path   string
	values []string
}

func subjects(t testing.TB) []subject {
	builtin := func(group, version, plural string) *schema.Kind {
		k, ok := schema.Builtin().ByResource(group, version, plural)
		if !ok {
			t.Fatalf("no %s", plural)
		}
		return k
	}
	meta := []choice{
		{"metadata.labels", []string{`{"a":"1"}`, `{"a":"2","b":"1"}`, `{"b":"1"}`, `{}`, `null`}},
		{"metadata.annotations", []string{`{"x":"1"}`, `{"x":"2","y":"\u003c\"é"}`, `null`}},
		{"metadata.finalizers", []string{`["a.b/c"]`, `["a.b/c","d.e/f"]`, `["d.e/f","a.b/c"]`, `[]`, `null`}},
		{"metadata.ownerReferences", []string{`[{"apiVersion":"v1","kind":"A","name":"a","uid":"1"}]`,
			`[{"apiVersion":"v1","kind":"A","name":"b","uid":"2"},{"apiVersion":"v1","kind":"A","name":"a","uid":"1","controller":true}]`}},
	}
	pod := func(at string) []choice {
		return []choice{
			{at + "containers", []string{`[{"name":"a"}]`, `[{"name":"a","image":"x:1"}]`, `[{"name":"a","image":"x:2"},{"name":"b","image":"y"}]`,
				`[{"name":"b","image":"y"},{"name":"a","image":"x:1"}]`, `[{"name":"c"},{"name":"a"},{"name":"b"}]`, `[{"name":"a","image":null,"ports":[]}]`,
				`[{"name":"a","ports":[{"containerPort":80},{"containerPort":53,"protocol":"UDP"}],"env":[{"name":"E","value":"1"},{"name":"F"}]}]`,
				`[{"name":"a","ports":[{"containerPort":53,"protocol":"UDP","name":"dns"},{"containerPort":80,"protocol":"TCP","name":"http"}],"env":[{"name":"E","value":"2"}]}]`,
				`[{"name":"a","resources":{"limits":{"cpu":"1","memory":"1Gi"}},"args":["a","b"]}]`, `[{"name":"a","resources":{"limits":{"cpu":"1000m"},"requests":{}},"args":["a"]}]`,
				`[{"name":"a","env":[{"name":"E","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],"securityContext":{"capabilities":{"add":["X"]},"runAsUser":1}}]`,
				`[{"name":"a","securityContext":{"runAsUser":1},"livenessProbe":{"httpGet":{"port":80},"periodSeconds":5}}]`,
				`[{"name":"a","livenessProbe":{"httpGet":{"port":"http","path":"/"},"periodSeconds":5},"securityContext":{}}]`,
				`[{"name":"a"},{"name":"a"}]`, `[{"image":"x"}]`, `[null]`, `null`}},
			{at + "volumes", []string{`[{"name":"v","emptyDir":{}}]`, `[{"name":"v","configMap":{"name":"c","items":[{"key":"k","path":"p"}]}},{"name":"w","emptyDir":{"sizeLimit":"1Gi"}}]`, `[]`}},
			{at + "tolerations", []string{`[{"key":"a","operator":"Exists"}]`, `[]`, `[{"key":"b"}]`}},
			{at + "nodeSelector", []string{`{"a":"b"}`, `{"c":"d"}`, `{}`}},
			{at + "affinity", []string{`{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"preference":{}}]}}`, `{"podAffinity":{}}`, `{}`}},
			{at + "imagePullSecrets", []string{`[{"name":"a"}]`, `[{"name":"b"},{"name":"a"}]`, `[{}]`}},
			{at + "topologySpreadConstraints", []string{`[{"maxSkew":1,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule"}]`, `[{"maxSkew":2,"topologyKey":"z","whenUnsatisfiable":"ScheduleAnyway"},{"maxSkew":2,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule"}]`}},
			{at + "hostAliases", []string{`[{"ip":"1.1.1.1","hostnames":["a"]}]`, `[{"ip":"1.1.1.2","hostnames":["a","b"]},{"ip":"1.1.1.1"}]`}},
			{at + "terminationGracePeriodSeconds", []string{`5`, `5.0`, `6`, `0`, `null`}},
			{at + "hostNetwork", []string{`true`, `false`}},
			{at + "nodeName", []string{`"n"`, `""`, `7`}},
		}
	}
	status := []choice{{"status.conditions", []string{`[{"type":"Ready","status":"True"}]`, `[{"type":"Ready","status":"False","lastTransitionTime":"2026-01-02T03:04:05Z"},{"type":"X","status":"Unknown"}]`}}}
	join := func(lists ...[]choice) []choice { return slices.Concat(lists...) }
	return []subject{
		{builtin("", "v1", "pods"), `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"d"}}`, join(meta, pod("spec."), status)},
		{builtin("apps", "v1", "deployments"), `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"p","namespace":"d"}}`,
			join(meta, pod("spec.template.spec."), status, []choice{
				{"spec.replicas", []string{`1`, `2`, `null`}}, {"spec.paused", []string{`true`, `false`}},
				{"spec.selector", []string{`{"matchLabels":{"a":"1"}}`, `{"matchLabels":{"a":"2"}}`}},
				{"spec.strategy", []string{`{"rollingUpdate":{"maxSurge":1}}`, `{"rollingUpdate":{"maxSurge":"10%","maxUnavailable":0}}`, `{"type":"Recreate"}`, `{"type":"Recreate","rollingUpdate":null}`, `{}`}},
				{"spec.template.metadata", []string{`{"labels":{"a":"1"}}`, `{"labels":{"b":"1"},"creationTimestamp":null}`, `null`}},
				{"status.replicas", []string{`1`, `2`}}, {"spec.unknown", []string{`1`}},
			})},
		{builtin("", "v1", "services"), `{"apiVersion":"v1","kind":"Service","metadata":{"name":"p","namespace":"d"}}`,
			join(meta, status, []choice{
				{"spec.ports", []string{`[{"port":80}]`, `[{"port":80,"protocol":"TCP","targetPort":"http"},{"port":53,"protocol":"UDP","name":"dns"}]`,
					`[{"port":53,"protocol":"UDP","targetPort":5353,"name":"dns"},{"port":80,"name":"http"}]`, `[{"protocol":"UDP"}]`, `[]`}},
				{"spec.selector", []string{`{"a":"1"}`, `{"b":"1"}`, `null`}}, {"spec.type", []string{`"ClusterIP"`, `"NodePort"`}},
				{"spec.sessionAffinityConfig", []string{`{"clientIP":{"timeoutSeconds":5}}`, `{"clientIP":null}`, `{}`}},
				{"spec.externalIPs", []string{`["1.1.1.1"]`, `["1.1.1.1","2.2.2.2"]`}}, {"spec.ipFamilies", []string{`["IPv4"]`, `["IPv4","IPv6"]`}},
			})},
		{builtin("", "v1", "configmaps"), `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"p","namespace":"d"}}`,
			join(meta, []choice{{"data", []string{`{"a":"1"}`, `{"a":"2","b.c":"1"}`, `{"b.c":"1","":"x"}`, `{"a":null}`, `{}`, `null`, `[]`}},
				{"binaryData", []string{`{"a":"eA=="}`, `{}`}}, {"immutable", []string{`true`, `false`}}})},
		{customKind(widgets), `{"apiVersion":"e.com/v1","kind":"Widget","metadata":{"name":"p","namespace":"d"}}`,
			join(meta, []choice{
				{"spec.size", []string{`1`, `1.0`, `2.5`, `"x"`}}, {"spec.map", []string{`{"a":{"v":1}}`, `{"a":{"v":2,"w":[]},"b":{}}`, `{"b":null}`}},
				{"spec.items", []string{`[{"k":"a","v":1}]`, `[{"k":"b"},{"k":"a","v":2}]`, `[{"k":"a","n":2},{"k":"a"}]`, `[{"n":1.0}]`, `[{"v":1}]`, `[{"k":"a","any":{"x":[1,{"y":2}]}}]`, `[]`, `null`}},
				{"spec.set", []string{`["a","b"]`, `["b",1]`, `[1.0,2]`, `["a","a"]`, `[]`, `[{}]`}}, {"spec.atomic", []string{`{"a":1}`, `{"b":2}`, `{}`}},
				{"spec.any", []string{`1`, `"s"`, `[1]`, `[1,2]`, `{"a":1}`, `{"a":{"b":1}}`, `{"a":[1]}`, `{}`, `null`}},
			})},
		{customKind(typed.ParseableType{}), `{"apiVersion":"e.com/v1","kind":"Widget","metadata":{"name":"p","namespace":"d"}}`,
			join(meta, []choice{{"spec", []string{`{"a":1}`, `{"a":{"b":1},"c":[]}`, `{"a":{"b":2,"c":{}}}`, `[1]`, `null`, `"s"`, `{"a":null}`}},
				{"other.x", []string{`1`, `{"y":[{"z":1}]}`, `{"y":{"z":1}}`, `[]`}}})},
	}
}

// custom is a custom kind's behaviour; only its type matters here.
type custom struct {
	schema.Custom
	applied typed.ParseableType
}

func (c custom) ApplyType() typed.ParseableType { return c.applied }

func customKind(applied typed.ParseableType) *schema.Kind {
	k := schema.NewCustom(schema.Kind{Group: "e.com", Version: "v1", Kind: "Widget", Plural: "widgets", Namespaced: true})
	if applied.Schema != nil {
		k.Custom = custom{k.Custom, applied}
	}
	return k
}

// widgets have everything that a definition can say of fields.
var widgets = func() typed.ParseableType {
	ref := func(name string) smd.TypeRef { return smd.TypeRef{NamedType: &name} }
	deducedName := "__untyped_deduced_"
	untyped := smd.Untyped
	objects := TypeOf((*corev1.Pod)(nil).ProtoReflect().Descriptor())
	types := slices.Clone(objects.Schema.Types)
	atomicMap, granular := smd.Atomic, &smd.Map{ElementType: ref("inner")}
	types = append(types,
		smd.TypeDef{Name: deducedName, Atom: smd.Atom{Scalar: &untyped, List: &smd.List{ElementType: ref(deducedName), ElementRelationship: smd.Atomic},
			Map: &smd.Map{ElementType: ref(deducedName), ElementRelationship: smd.Separable}}},
		smd.TypeDef{Name: "inner", Atom: smd.Atom{Map: &smd.Map{Fields: []smd.StructField{{Name: "v", Type: inline(smd.Numeric)},
			{Name: "w", Type: smd.TypeRef{Inlined: smd.Atom{List: &smd.List{ElementType: inline(smd.String), ElementRelationship: smd.Associative}}}}}}}},
		smd.TypeDef{Name: "item", Atom: smd.Atom{Map: &smd.Map{Fields: []smd.StructField{{Name: "k", Type: inline(smd.String)}, {Name: "n", Type: inline(smd.Numeric)},
			{Name: "v", Type: inline(smd.Numeric)}, {Name: "any", Type: ref(deducedName)}}}}},
		smd.TypeDef{Name: "spec", Atom: smd.Atom{Map: &smd.Map{Fields: []smd.StructField{
			{Name: "size", Type: inline(smd.Numeric)}, {Name: "map", Type: smd.TypeRef{Inlined: smd.Atom{Map: granular}}},
			{Name: "items", Type: smd.TypeRef{Inlined: smd.Atom{List: &smd.List{ElementType: ref("item"), ElementRelationship: smd.Associative, Keys: []string{"n", "k"}}}}},
			{Name: "set", Type: smd.TypeRef{Inlined: smd.Atom{List: &smd.List{ElementType: inline(smd.Untyped), ElementRelationship: smd.Associative}}}},
			{Name: "atomic", Type: smd.TypeRef{Inlined: smd.Atom{Map: &smd.Map{ElementType: inline(smd.Numeric), ElementRelationship: atomicMap}}}},
			{Name: "any", Type: ref(deducedName)}}}}},
		smd.TypeDef{Name: "object", Atom: smd.Atom{Map: &smd.Map{Fields: []smd.StructField{{Name: "apiVersion", Type: inline(smd.String)}, {Name: "kind", Type: inline(smd.String)},
			{Name: "metadata", Type: ref("keelson.meta.v1.ObjectMeta")}, {Name: "spec", Type: ref("spec")}}}}},
	)
	return typed.ParseableType{Schema: &smd.Schema{Types: types}, TypeRef: ref("object")}
}()

// config makes a random configuration.
func (s subject) config(t testing.TB, r *rand.Rand, share float64) []byte {
	t.Helper()
	tree := treeOf(t, s.base)
	for _, f := range s.fields {
		if r.Float64() > share {
			continue
		}
		v, err := codec.ParseTree([]byte(f.values[r.IntN(len(f.values))]))
		if err != nil {
			t.Fatal(err)
		}
		path := strings.Split(f.path, ".")
		at := tree
		for _, name := range path[:len(path)-1] {
			below, ok := at[name].(map[string]any)
			if !ok {
				if at[name] != nil {
					at = nil
					break
				}
				below = map[string]any{}
				at[name] = below
			}
			at = below
		}
		if at != nil {
			at[path[len(path)-1]] = v
		}
	}
	out, err := codec.AppendTree(nil, tree)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// outcome is what an apply made, in a form to compare.
type outcome struct {
	Tree    map[string]any
	Managed []string
	Changed bool
	Err     string
}

func outcomeOf(t testing.TB, k *schema.Kind, res *Result, err error) outcome {
	t.Helper()
	if err != nil {
		var status *apierrors.StatusError
		if !errors.As(err, &status) {
			return outcome{Err: "a value that does not fit"}
		}
		text := fmt.Sprint(status.Status.GetReason(), " ", status.Status.GetCode())
		if apierrors.IsConflict(err) {
			text = err.Error()
			for _, c := range status.Status.GetDetails().GetCauses() {
				text += "\n" + c.GetField() + " " + c.GetMessage()
			}
		}
		return outcome{Err: text}
	}
	tree, err := k.ToTree(unmanaged(k, res.Object))
	if err != nil {
		t.Fatal(err)
	}
	out := outcome{Tree: tree, Changed: res.Changed}
	for _, e := range k.Meta(res.Object).GetManagedFields() {
		set, err := parseSet(e.GetFieldsV1().GetRaw())
		if err != nil {
			t.Fatal(err)
		}
		out.Managed = append(out.Managed, fmt.Sprintf("%s %s %s %s %d\n%s", e.Manager, e.Operation, e.ApiVersion, e.Subresource, e.GetTime().GetSeconds(), set))
	}
	return out
}

// step makes one random write and returns what is stored then; live is nil at first.
func (s subject) step(t testing.TB, r *rand.Rand, live proto.Message, n int) proto.Message {
	t.Helper()
	k := s.kind
	w := Writer{Manager: []string{"a", "b", kubectl, "c"}[r.IntN(4)], Now: at(n)}
	if r.IntN(8) == 0 && k.HasStatus() {
		w.Subresource = "status"
	} else if r.IntN(12) == 0 && k.Kind == "Pod" {
		w.Subresource = "resize"
	}
	config := s.config(t, r, []float64{0.1, 0.3, 0.6}[r.IntN(3)])
	switch what := r.IntN(10); {
	case live != nil && what < 3: // an update
		obj := k.New()
		text := config
		if what < 2 { // a patch
			was, err := k.ToTree(live)
			if err != nil {
				t.Fatal(err)
			}
			overlay(was, treeOf(t, string(config)))
			if text, err = codec.AppendTree(nil, was); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := k.Unmarshal(text, obj, codec.DecodeOptions{}); err != nil {
			return live
		}
		if !k.IsCustom() {
			k.Default(obj)
		}
		if err := Track(k, live, obj, w); err != nil {
			t.Fatal(err)
		}
		return obj
	case live != nil && what == 3 && r.IntN(4) == 0: // client-side apply
		obj := proto.Clone(live)
		m := k.Meta(obj)
		m.Annotations = map[string]string{lastAppliedConfig: string(config)}
		if r.IntN(3) == 0 {
			m.ManagedFields = nil
		}
		return obj
	case live != nil && what == 4:
		return scrambled(t, r, k, live)
	}
	force := r.IntN(3) > 0
	got, err := applyBoth(t, k, live, config, w, force)
	if err != nil {
		return live
	}
	if !k.IsCustom() && r.IntN(2) == 0 {
		k.Default(got.Object)
	}
	return got.Object
}

// applyBoth applies in both ways and holds what comes out against each other.
func applyBoth(t testing.TB, k *schema.Kind, live proto.Message, config []byte, w Writer, force bool) (*Result, error) {
	t.Helper()
	want, wantErr := applyByOracle(k, live, config, w, force)
	got, err := Apply(Request{Kind: k, Live: live, Config: nodeOf(t, string(config)), Writer: w, Force: force})
	if diff := cmp.Diff(outcomeOf(t, k, want, wantErr), outcomeOf(t, k, got, err)); diff != "" {
		text, _ := json.Marshal(outcomeOf(t, k, &Result{Object: orNew(k, live)}, nil))
		t.Fatalf("write by %+v, force %v: -structured-merge-diff +ours\n%s\nlive\n%s\nconfig\n%s\n%v\n%v", w, force, diff, text, config, wantErr, err)
	}
	if err == nil && !got.Changed && live != nil && !cmp.Equal(unmanaged(k, live), unmanaged(k, got.Object), protocmp.Transform()) {
		t.Fatal("an object that has not changed is another one")
	}
	return got, err
}

// scrambled is an object whose managed fields a client has written: sets that no write makes.
func scrambled(t testing.TB, r *rand.Rand, k *schema.Kind, live proto.Message) proto.Message {
	t.Helper()
	obj := proto.Clone(live)
	var less func(set map[string]any)
	less = func(set map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			if less(set[name].(map[string]any)); r.IntN(6) == 0 {
				delete(set, name)
			}
		}
	}
	for _, e := range k.Meta(obj).GetManagedFields() {
		if r.IntN(2) == 0 {
			continue
		}
		set := treeOf(t, string(e.GetFieldsV1().GetRaw()))
		less(set)
		raw, err := codec.AppendTree(nil, set)
		if err != nil {
			t.Fatal(err)
		}
		e.FieldsV1.Raw = raw
	}
	return obj
}

func orNew(k *schema.Kind, obj proto.Message) proto.Message {
	if obj == nil {
		return k.New()
	}
	return obj
}

// overlay lays a tree over another.
func overlay(tree, over map[string]any) {
	for name, v := range over {
		a, isA := tree[name].(map[string]any)
		b, isB := v.(map[string]any)
		if isA && isB {
			overlay(a, b)
		} else {
			tree[name] = v
		}
	}
}

// Whatever several managers do to objects, our apply makes of it what structured-merge-diff does: the same objects, managed
// fields and conflicts.
func TestApplyIsThatOfStructuredMergeDiff(t *testing.T) {
	const rounds = 40
	for i, s := range subjects(t) {
		t.Run(fmt.Sprint(s.kind.Kind, i), func(t *testing.T) {
			t.Parallel() // applies share memory and sets
			for seed := range uint64(rounds) {
				run(t, s, seed)
			}
		})
	}
}

func FuzzApplyIsThatOfStructuredMergeDiff(f *testing.F) {
	f.Add(uint64(1000), uint8(0))
	all := subjects(f)
	f.Fuzz(func(t *testing.T, seed uint64, which uint8) { run(t, all[int(which)%len(all)], seed) })
}

func run(t *testing.T, s subject, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	var live proto.Message
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	for n := range 12 {
		live = s.step(t, r, live, n)
	}
}

// The same for objects of all kinds with all fields, though there the managers have little in common.
func TestApplyOfAnythingIsThatOfStructuredMergeDiff(t *testing.T) {
	for _, k := range schema.Builtin().Kinds() {
		if k.Ephemeral {
			continue
		}
		t.Run(k.Kind, func(t *testing.T) {
			depth := 8
			if k.Kind == "CustomResourceDefinition" {
				depth = 4 // schemas in schemas
			}
			for seed := range uint64(6) {
				r := rand.New(rand.NewPCG(seed, 3))
				random := func() []byte {
					obj := k.New()
					randmsg.Fill(r, obj.ProtoReflect(), 0.4, depth)
					if m := k.Meta(obj); m != nil {
						m.ManagedFields = nil
					}
					text, err := codec.Marshal(obj)
					if err != nil {
						t.Fatal(err)
					}
					return text
				}
				var live proto.Message
				for n, name := range []string{"a", "b", "a", "b"} {
					if res, err := applyBoth(t, k, live, random(), Writer{Manager: name, Now: at(n)}, n > 1); err == nil {
						live = res.Object
					}
				}
			}
		})
	}
}

// Clients may write managed fields that no write makes: items without themselves, items without their keys, lists with
// nothing in them.
func TestApplyAfterSetsOfClients(t *testing.T) {
	pod, widget := subjects(t)[0], subjects(t)[4]
	below := func(set string) string { return `{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":` + set + `}}}` }
	const none = `{"f:metadata":{"f:labels":{"f:x":{}}}}`
	for _, c := range []struct {
		name string
		subject
		live, mine, other, config, want string
	}{
		{"an item that nobody owns", pod, `{"containers":[{"name":"a","image":"x"}]}`, below(`{"f:image":{}}`), below(`{"f:image":{}}`), `{}`, `{"containers":[{"name":"a","resources":{}}]}`},
		{"a field of an item that is owned", pod, `{"containers":[{"name":"a","image":"x"}]}`, below(`{"f:image":{}}`), below(`{".":{},"f:name":{}}`), `{}`, `{"containers":[{"name":"a","resources":{}}]}`},
		{"an item whose key nobody owns", pod, `{"containers":[{"name":"a","image":"x"}]}`, below(`{".":{},"f:image":{}}`), below(`{".":{}}`), `{}`, `{"containers":null}`},
		{"an item that another owns a part of", pod, `{"containers":[{"name":"a","image":"x"},{"name":"b"}]}`, below(`{".":{},"f:name":{}}`), below(`{"f:image":{}}`), `{}`, `{"containers":[{"name":"b","resources":{}}]}`},
		{"items alike", pod, `{"containers":[{"name":"a","image":"x"},{"name":"b"},{"name":"a","image":"y"}]}`, none, none, `{"containers":[{"name":"a","args":["z"]}]}`,
			`{"containers":[{"name":"a","args":["z"],"resources":{}},{"name":"b","resources":{}}]}`},
		{"items alike that nobody tracked", pod, `{"containers":[{"name":"a","image":"x"},{"name":"a","image":"y"}]}`, "", "", `{"nodeName":"n"}`,
			`{"nodeName":"n","containers":[{"name":"a","image":"x","resources":{}},{"name":"a","image":"y","resources":{}}]}`},
		{"a list with nothing in it", widget, `null`, `{"f:spec":{"f:size":{}}}`, none, `{"set":[]}`, `{"set":[]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			document := func(spec string) []byte {
				tree, v := treeOf(t, c.base), treeOf(t, `{"spec":`+spec+`}`)
				overlay(tree, v)
				text, err := codec.AppendTree(nil, tree)
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
			obj := c.kind.New()
			if _, err := c.kind.Unmarshal(document(c.live), obj, codec.DecodeOptions{}); err != nil {
				t.Fatal(err)
			}
			entry := func(name, op, set string) *metav1.ManagedFieldsEntry {
				return &metav1.ManagedFieldsEntry{Manager: name, Operation: op, ApiVersion: c.kind.APIVersion(), FieldsType: fieldsV1, FieldsV1: &metav1.FieldsV1{Raw: []byte(set)}}
			}
			if c.mine != "" {
				c.kind.Meta(obj).ManagedFields = []*metav1.ManagedFieldsEntry{entry("me", OperationApply, c.mine), entry("you", OperationUpdate, c.other)}
			}
			res, err := applyBoth(t, c.kind, obj, document(c.config), Writer{Manager: "me", Now: at(1)}, true)
			if err != nil {
				t.Fatal(err)
			}
			tree, err := c.kind.ToTree(res.Object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(treeOf(t, c.want), tree["spec"]); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

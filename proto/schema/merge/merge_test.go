package merge

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

func tree(t testing.TB, text string) map[string]any {
	m, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStrategic(t *testing.T) {
	md := (*appsv1.Deployment)(nil).ProtoReflect().Descriptor()
	pod := (*corev1.Pod)(nil).ProtoReflect().Descriptor()
	for _, c := range []struct{ name, in, patch, want string }{
		{"container by name", `{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"name":"b","image":"z"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"z"}]}}}}`},
		{"delete directive", `{"spec":{"template":{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"name":"a","$patch":"delete"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"name":"b"}]}}}}`},
		{"retain keys", `{"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}}`,
			`{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}`, `{"spec":{"strategy":{"type":"Recreate"}}}`},
		{"atomic list", `{"spec":{"template":{"spec":{"tolerations":[{"key":"a"}]}}}}`,
			`{"spec":{"template":{"spec":{"tolerations":[{"key":"b"}]}}}}`, `{"spec":{"template":{"spec":{"tolerations":[{"key":"b"}]}}}}`},
		{"map and null", `{"metadata":{"labels":{"a":"1","b":"2"}}}`, `{"metadata":{"labels":{"a":null,"c":"3"}}}`,
			`{"metadata":{"labels":{"b":"2","c":"3"}}}`},
		{"order", `{"spec":{"template":{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}}}`,
			`{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"b"},{"name":"a"}],"containers":[{"name":"c"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"name":"c"},{"name":"b"},{"name":"a"}]}}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Strategic(md, tree(t, c.in), []byte(c.patch))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tree(t, c.want), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	got, err := Strategic(pod, tree(t, `{"spec":{"volumes":[{"name":"v","emptyDir":{}}]}}`),
		[]byte(`{"spec":{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],"hostPath":{"path":"/x"}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree(t, `{"spec":{"volumes":[{"name":"v","hostPath":{"path":"/x"}}]}}`), got); diff != "" {
		t.Errorf("inlined sub-message: -want +got\n%s", diff)
	}
}

func TestMerge(t *testing.T) {
	got, err := Merge(tree(t, `{"a":{"b":1,"c":[1,2]},"d":"x"}`), []byte(`{"a":{"b":null,"c":[3],"e":{"f":null,"g":2}},"d":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree(t, `{"a":{"c":[3],"e":{"g":2}}}`), got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestJSON(t *testing.T) {
	got, err := JSON(tree(t, `{"a":{"b":1},"l":[1]}`), []byte(`[{"op":"add","path":"/l/-","value":2},{"op":"remove","path":"/a/b"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree(t, `{"a":{},"l":[1,2]}`), got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	md := (*corev1.Pod)(nil).ProtoReflect().Descriptor()
	strategic := func(tr map[string]any, p []byte) (map[string]any, error) { return Strategic(md, tr, p) }
	for _, c := range []struct {
		name  string
		apply func(map[string]any, []byte) (map[string]any, error)
		patch string
		is    func(error) bool
	}{
		{"json: not JSON", JSON, `{`, apierrors.IsBadRequest},
		{"json: an object", JSON, `{}`, apierrors.IsBadRequest},
		{"json: missing path", JSON, `[{"op":"remove","path":"/nothing/here"}]`, apierrors.IsInvalid},
		{"json: failed test", JSON, `[{"op":"test","path":"/a","value":1}]`, apierrors.IsInvalid},
		{"json: too many", JSON, "[" + strings.Repeat(`{"op":"add","path":"/a","value":1},`, MaxOperations) + `{"op":"add","path":"/a","value":1}]`,
			apierrors.IsRequestEntityTooLarge},
		{"json: replaces the object", JSON, `[{"op":"replace","path":"","value":3}]`, func(err error) bool { return err != nil }},
		{"merge: a list", Merge, `[]`, apierrors.IsBadRequest},
		{"merge: not JSON", Merge, `{"a":`, apierrors.IsBadRequest},
		{"merge: deep", Merge, strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000), apierrors.IsBadRequest},
		{"strategic: list of lists", strategic, `{"spec":{"containers":[[1]]}}`, func(err error) bool { return err != nil }},
		{"strategic: no merge key", strategic, `{"spec":{"containers":[{"image":"x"}]}}`, func(err error) bool { return err != nil }},
		{"strategic: unknown directive", strategic, `{"spec":{"$patch":"burn"}}`, func(err error) bool { return err != nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.apply(tree(t, `{"metadata":{"name":"x"},"spec":{"containers":[{"name":"a"}]}}`), []byte(c.patch))
			if !c.is(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzPatches(f *testing.F) {
	for _, s := range []string{`[{"op":"add","path":"/a","value":1}]`, `{"spec":{"containers":[{"name":"a","$patch":"delete"}]}}`,
		`{"spec":{"$setElementOrder/containers":[{"name":"a"}]}}`, `{"spec":{"$retainKeys":[1]}}`, `{"$patch":"replace"}`,
		`{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}}`} {
		f.Add([]byte(s))
	}
	md := (*corev1.Pod)(nil).ProtoReflect().Descriptor()
	const doc = `{"metadata":{"name":"x","finalizers":["a"]},"spec":{"containers":[{"name":"a","env":[{"name":"e","value":"v"}]}]}}`
	f.Fuzz(func(t *testing.T, patch []byte) {
		for _, apply := range []func(map[string]any, []byte) (map[string]any, error){JSON, Merge,
			func(tr map[string]any, p []byte) (map[string]any, error) { return Strategic(md, tr, p) }} {
			out, err := apply(tree(t, doc), patch)
			if err == nil {
				if _, err := json.Marshal(out); err != nil {
					t.Errorf("result is not JSON: %v", err)
				}
			} else if _, ok := err.(*apierrors.StatusError); !ok {
				t.Errorf("not an API error: %T %v", err, err)
			}
		}
	})
}

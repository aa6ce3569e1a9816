package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/apiserver/internal/admission/admissiontest"
)

// mapObjects is a mutating policy and its binding.
func mapObjects(name, resources, spec string) []string {
	group := ""
	if resources == "deployments" {
		group = "apps"
	}
	return []string{fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: %s}
spec:
  reinvocationPolicy: IfNeeded
  matchConstraints:
    resourceRules:
    - {apiGroups: [%q], apiVersions: ["v1"], operations: [CREATE, UPDATE], resources: [%s]}
%s`, name, group, resources, spec), fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: %s-binding}
spec: {policyName: %s}
`, name, name)}
}

const pod = `
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: x}}
spec: {containers: [{name: a, image: a, env: [{name: A, value: "1"}]}, {name: b, image: b}]}
`

func TestApplyConfiguration(t *testing.T) {
	s := start(t)
	s.Must(mapObjects("m", "pods", `
  variables: [{name: image, expression: "'sidecar:' + object.metadata.name"}]
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >
        Object{
          metadata: Object.metadata{labels: {"added": "yes"}},
          spec: Object.spec{
            containers: [Object.spec.containers{name: "a", env: [Object.spec.containers.env{name: "B", value: "2"}]}],
            initContainers: has(object.spec.initContainers) ? [] : [Object.spec.initContainers{name: "s", image: variables.image}]
          }
        }
`)...)
	tree, _, err := s.Create(pod)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"app": "x", "added": "yes"}, admissiontest.At(tree, "metadata", "labels")); diff != "" {
		t.Error(diff)
	}
	containers := admissiontest.At(tree, "spec", "containers").([]any)
	if n := len(containers); n != 2 {
		t.Errorf("%d containers", n)
	}
	env := containers[0].(map[string]any)["env"].([]any)
	if diff := cmp.Diff([]any{map[string]any{"name": "A", "value": "1"}, map[string]any{"name": "B", "value": "2"}}, env); diff != "" {
		t.Error(diff)
	}
	init := admissiontest.At(tree, "spec", "initContainers").([]any)
	// The second round sees that the container is there.
	if len(init) != 1 || init[0].(map[string]any)["image"] != "sidecar:p" || init[0].(map[string]any)["imagePullPolicy"] == nil {
		t.Errorf("got %v", init)
	}
}

func TestJSONPatch(t *testing.T) {
	s := start(t)
	s.Must(mapObjects("m", "pods", `
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >
        [JSONPatch{op: "test", path: "/metadata/labels/app", value: "x"},
         JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a/b"), value: "c"},
         JSONPatch{op: "add", path: "/spec/nodeSelector", value: {"disk": "ssd"}},
         JSONPatch{op: "add", path: "/spec/tolerations/-", value: Object.spec.tolerations{key: "k", operator: "Exists"}}]
  - patchType: JSONPatch
    jsonPatch:
      expression: >
        [JSONPatch{op: "test", path: "/metadata/labels/app", value: "other"}, JSONPatch{op: "remove", path: "/metadata/labels"}]
`)...)
	tree, _, err := s.Create(pod)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"app": "x", "a/b": "c"}, admissiontest.At(tree, "metadata", "labels")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"disk": "ssd"}, admissiontest.At(tree, "spec", "nodeSelector")); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(fmt.Sprint(admissiontest.At(tree, "spec", "tolerations")), "key:k") {
		t.Errorf("got %v", admissiontest.At(tree, "spec", "tolerations"))
	}
}

func TestMutationsThatFail(t *testing.T) {
	apply := func(expression string) string {
		return fmt.Sprintf("  mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: %q}}]", expression)
	}
	patch := func(expression string) string {
		return fmt.Sprintf("  mutations: [{patchType: JSONPatch, jsonPatch: {expression: %q}}]", expression)
	}
	for _, c := range []struct{ name, spec, want string }{
		{"type names", apply(`Object{spec: Object.status{}}`), `policy 'm' with binding 'm-binding' denied request: type mismatch: unexpected type name "Object.status", expected "Object.spec"`},
		{"error", apply(`Object{metadata: Object.metadata{labels: {"x": object.metadata.nope}}}`), "resulted in error: no such key: nope"},
		{"unknown field", apply(`Object{spec: Object.spec{nope: 1}}`), "field not declared in schema"},
		{"atomic", apply(`Object{spec: Object.spec{containers: [Object.spec.containers{name: "a", command: ["x"]}]}}`), "may not mutate atomic arrays, maps or structs"},
		{"path", patch(`[JSONPatch{op: "remove", path: "/spec/nope"}]`), "policy 'm' with binding 'm-binding' denied request: JSON Patch: "},
		{"wrong type", patch(`[JSONPatch{op: "add", path: "/spec/hostNetwork", value: "x"}]`), "hostNetwork"},
		{"name", patch(`[JSONPatch{op: "replace", path: "/metadata/namespace", value: "kube-system"}]`), "the namespace of the provided object does not match the namespace sent on the request"},
		{"ignored", "  failurePolicy: Ignore\n" + apply(`Object{spec: Object.spec{nope: 1}}`), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t)
			s.Must(mapObjects("m", "pods", c.spec)...)
			_, _, err := s.Create(pod)
			if got := problem(err); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

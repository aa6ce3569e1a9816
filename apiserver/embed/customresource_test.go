package embed

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const testDefinition = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"foos.example.com"},
	"spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"foos","kind":"Foo","shortNames":["fo"],"categories":["all"]},
	"versions":[{"name":"v1","served":true,"storage":true,"deprecated":%v,"subresources":{"status":{},"scale":{"specReplicasPath":".spec.n","statusReplicasPath":".status.n"}},
	"selectableFields":[{"jsonPath":".spec.color"}],
	"additionalPrinterColumns":[{"name":"Color","type":"string","jsonPath":".spec.color"},{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}],
	"schema":{"openAPIV3Schema":{"type":"object","description":"Foo is a test.","properties":{
	"spec":{"type":"object","properties":{"color":{"type":"string","description":"The color."},"n":{"type":"integer","default":1}}},
	"status":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}}`

// TestCustomResources goes through REST as clients do: a definition, its discovery and documents, objects in every form.
func TestCustomResources(t *testing.T) {
	c := start(t, t.TempDir())
	want := func(method, path, body string, code int, texts ...string) {
		t.Helper()
		got, answer := c.do(t, c.admin(), method, path, body)
		if got != code {
			t.Errorf("%s %s: %d %s", method, path, got, answer)
		}
		for _, text := range texts {
			if !strings.Contains(answer, text) {
				t.Errorf("%s %s: no %s in %s", method, path, text, answer)
			}
		}
	}
	const crds, foos = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "/apis/example.com/v1/namespaces/default/foos"
	want("POST", crds, fmt.Sprintf(testDefinition, false), http.StatusCreated)
	c.await(t, crds+"/foos.example.com", `"type":"Established","status":"True"`)
	want("GET", "/apis", "", http.StatusOK, `"groupVersion":"example.com/v1"`)
	want("GET", "/apis/example.com/v1", "", http.StatusOK, `"name":"foos/scale"`, `"name":"foos/status"`, `"shortNames":["fo"]`)
	want("GET", "/openapi/v3/apis/example.com/v1", "", http.StatusOK, `"com.example.v1.Foo"`, `"com.example.v1.FooList"`, `"description":"The color."`,
		"APIVersion defines", "Standard object's metadata", "CreationTimestamp is a timestamp") // words that conformance tests look for
	want("GET", "/openapi/v2", "", http.StatusOK, `"com.example.v1.Foo"`)
	want("POST", foos, `{"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"x"},"spec":{"color":"red"}}`, http.StatusCreated, `"n":1`)
	want("POST", foos+"?fieldValidation=Strict", `{"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"y"},"spec":{"colour":"red"}}`, http.StatusBadRequest, `unknown field \"spec.colour\"`)
	want("GET", foos+"?fieldSelector=spec.color%3Dred", "", http.StatusOK, `"kind":"FooList"`, `"name":"x"`)
	want("GET", foos+"?fieldSelector=spec.n%3D1", "", http.StatusBadRequest, "field label not supported: spec.n")
	want("GET", foos+"/x/scale", "", http.StatusOK, `"kind":"Scale"`, `"replicas":1`)
	want("PUT", foos+"/x", `{"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"x"},"spec":{}}`, http.StatusUnprocessableEntity, "metadata.resourceVersion: Invalid value: 0: must be specified for an update")

	form := func(accept string, code int, texts ...string) {
		t.Helper()
		got, answer := c.accept(t, foos, accept)
		if got != code {
			t.Errorf("%s: %d %s", accept, got, answer)
		}
		for _, text := range texts {
			if !strings.Contains(answer, text) {
				t.Errorf("%s: no %s in %s", accept, text, answer)
			}
		}
	}
	form("application/json;as=Table;g=meta.k8s.io;v=v1", http.StatusOK, `"name":"Color"`, `"cells":["x","red",null]`)
	form("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", http.StatusOK, `"kind":"PartialObjectMetadata"`, `"name":"x"`)
	form("application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", http.StatusOK, "k8s\x00", "PartialObjectMetadataList")
	form("application/vnd.kubernetes.protobuf", http.StatusNotAcceptable)
	form("application/vnd.kubernetes.protobuf,application/json", http.StatusOK, `"kind":"FooList"`)
	form("application/yaml", http.StatusOK, "kind: FooList")

	// Another process over the same store.
	dir := c.dir
	c.stop()
	c = start(t, dir)
	want("GET", foos+"/x", "", http.StatusOK, `"color":"red"`)
	want("DELETE", crds+"/foos.example.com", "", http.StatusOK)
	for {
		if code, _ := c.do(t, c.admin(), "GET", crds+"/foos.example.com", ""); code == http.StatusNotFound {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the definition never went")
		}
	}
	c.await(t, "/apis", "")
	want("GET", foos+"/x", "", http.StatusNotFound)
}

// await reads a path again and again until its answer has a text.
func (c *cluster) await(t *testing.T, path, text string) {
	t.Helper()
	for t.Context().Err() == nil {
		if code, answer := c.do(t, c.admin(), "GET", path, ""); code == http.StatusOK && strings.Contains(strings.ReplaceAll(answer, " ", ""), text) {
			return
		}
	}
	t.Fatalf("%s never showed %s", path, text)
}

// accept reads a path in the form asked for.
func (c *cluster) accept(t *testing.T, path, accept string) (int, string) {
	t.Helper()
	return c.ask(t, path, map[string]string{"Accept": accept})
}

func (c *cluster) ask(t *testing.T, path string, header map[string]string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c.tls(t, c.admin()), DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+c.addresses.REST.String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestPoliciesOfCustomKinds checks a policy's expressions by the schema of a definition.
func TestPoliciesOfCustomKinds(t *testing.T) {
	c := start(t, t.TempDir())
	if code, answer := c.do(t, c.admin(), "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", fmt.Sprintf(testDefinition, false)); code != http.StatusCreated {
		t.Fatal(answer)
	}
	c.await(t, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/foos.example.com", `"type":"Established","status":"True"`)
	code, answer := c.do(t, c.admin(), "POST", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", `{"metadata":{"name":"p"},"spec":{
		"matchConstraints":{"resourceRules":[{"apiGroups":["example.com"],"apiVersions":["v1"],"operations":["*"],"resources":["foos"]}]},
		"validations":[{"expression":"object.spec.n > '1'"},{"expression":"object.spec.nope == 1"},
			{"expression":"object.spec.n > 1 && object.metadata.labels.exists(l, l == 'x')"}]}}`)
	for _, text := range []string{`"fieldRef":"spec.validations[0].expression"`, "found no matching overload for '_\\u003e_' applied to '(int, string)'",
		`"fieldRef":"spec.validations[1].expression"`, "undefined field 'nope'"} {
		if code != http.StatusCreated || !strings.Contains(answer, text) && !strings.Contains(answer, strings.ReplaceAll(text, "\\u003e", ">")) {
			t.Errorf("%d: no %s in %s", code, text, answer)
		}
	}
	if strings.Contains(answer, "spec.validations[2]") {
		t.Errorf("a sound expression is doubted: %s", answer)
	}
}

// TestOpenDefinitions looks at what version 2 of the documents says of a kind with room for everything: nothing.
func TestOpenDefinitions(t *testing.T) {
	c := start(t, t.TempDir())
	code, answer := c.do(t, c.admin(), "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", `{"metadata":{"name":"opens.example.com"},"spec":{
		"group":"example.com","scope":"Namespaced","names":{"plural":"opens","kind":"Open"},"versions":[{"name":"v1","served":true,"storage":true,
		"schema":{"openAPIV3Schema":{"type":"object","description":"Of any form.","x-kubernetes-preserve-unknown-fields":true,"properties":{"spec":{"type":"string"}}}}}]}}`)
	if code != http.StatusCreated {
		t.Fatal(answer)
	}
	c.await(t, "/openapi/v2", `"com.example.v1.Open"`)
	_, answer = c.do(t, c.admin(), "GET", "/openapi/v2", "")
	var doc struct{ Definitions map[string]map[string]any }
	if err := json.Unmarshal([]byte(answer), &doc); err != nil {
		t.Fatal(err)
	}
	if d := doc.Definitions["com.example.v1.Open"]; len(d) != 2 || d["type"] != "object" || d["x-kubernetes-group-version-kind"] == nil {
		t.Errorf("%v", d)
	}
}

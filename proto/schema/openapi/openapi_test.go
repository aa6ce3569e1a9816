package openapi

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/kube-openapi/pkg/spec3"

	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/openapi/comments"
)

func TestV3IsWhatClientsRead(t *testing.T) {
	d := New(schema.Builtin(), "v1.37.0")
	for _, path := range d.Paths() {
		doc, ok, err := d.V3(path)
		if !ok || err != nil {
			t.Fatal(path, ok, err)
		}
		var spec spec3.OpenAPI
		if err := json.Unmarshal(doc.JSON, &spec); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for name, s := range spec.Components.Schemas {
			for field, p := range s.Properties {
				for _, ref := range append(p.AllOf, p) {
					if target := ref.Ref.String(); target != "" {
						if spec.Components.Schemas[strings.TrimPrefix(target, "#/components/schemas/")] == nil {
							t.Errorf("%s: %s.%s refers to %s, which is not there", path, name, field, target)
						}
					}
				}
			}
		}
		if _, err := doc.Protobuf(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	doc, _, _ := d.V3("apis/apps/v1")
	var spec spec3.OpenAPI
	if err := json.Unmarshal(doc.JSON, &spec); err != nil {
		t.Fatal(err)
	}
	// What kubectl asks: does the server know dry run and field validation; which schema is the kind's.
	patch := spec.Paths.Paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"].Patch
	var params []string
	for _, p := range patch.Parameters {
		params = append(params, p.Name)
	}
	for _, want := range []string{"dryRun", "fieldValidation", "fieldManager", "force"} {
		if !strings.Contains(strings.Join(params, " "), want) {
			t.Errorf("patch has no parameter %s: %v", want, params)
		}
	}
	dep := spec.Components.Schemas["io.k8s.api.apps.v1.Deployment"]
	if dep == nil || dep.Extensions["x-kubernetes-group-version-kind"] == nil || dep.Properties["apiVersion"].Type[0] != "string" {
		t.Errorf("schema of Deployment: %v", dep)
	}
	ports := spec.Components.Schemas["io.k8s.api.core.v1.Container"].Properties["ports"]
	if ports.Extensions["x-kubernetes-patch-merge-key"] != "containerPort" || ports.Extensions["x-kubernetes-list-type"] != "map" {
		t.Errorf("ports: %v", ports.Extensions)
	}
}

func TestV2(t *testing.T) {
	doc, err := New(schema.Builtin(), "v1.37.0").V2()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := doc.Protobuf()
	if err != nil || len(raw) < 1000 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
}

func TestIndex(t *testing.T) {
	d := New(schema.Builtin(), "v1.37.0")
	index, err := d.Index()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"api/v1":{"serverRelativeURL":"/openapi/v3/api/v1?hash=`, `"apis/rbac.authorization.k8s.io/v1"`} {
		if !strings.Contains(string(index), want) {
			t.Errorf("%s is not in %s", want, index)
		}
	}
	if _, ok, _ := d.V3("apis/nothing/v1"); ok {
		t.Error("found a document of nothing")
	}
}

func TestComments(t *testing.T) {
	if got := comments.Of("keelson.meta.v1.Quantity"); !strings.HasPrefix(got, "Quantity is a number") {
		t.Errorf("got %q", got)
	}
}

package api

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	openapi_v3 "github.com/google/gnostic-models/openapiv3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/util/proto"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

const gvkExtension = "x-kubernetes-group-version-kind"

// documents are the server's OpenAPI documents.
type documents struct {
	*testing.T
	v2 *spec.Swagger
	v3 map[string]*spec3.OpenAPI // by path
}

func readDocuments(t *testing.T, d discovery.DiscoveryInterface) *documents {
	t.Helper()
	docs := &documents{T: t, v2: &spec.Swagger{}, v3: map[string]*spec3.OpenAPI{}}
	raw := must[[]byte](t)(d.RESTClient().Get().AbsPath("/openapi/v2").SetHeader("Accept", "application/json").DoRaw(t.Context()))
	parsed := must[*openapi_v2.Document](t)(openapi_v2.ParseDocument(raw))
	must[proto.Models](t)(proto.NewOpenAPIData(parsed))
	if err := json.Unmarshal(raw, docs.v2); err != nil {
		t.Fatal(err)
	}
	// The same in protobuf, which kubectl reads.
	if again, err := d.OpenAPISchema(); err != nil || len(again.GetDefinitions().GetAdditionalProperties()) != len(docs.v2.Definitions) {
		t.Errorf("/openapi/v2 in protobuf: %v", err)
	}
	paths, err := d.OpenAPIV3().Paths()
	if err != nil {
		t.Fatal(err)
	}
	for path, gv := range paths {
		raw := must[[]byte](t)(gv.Schema("application/json"))
		parsed := must[*openapi_v3.Document](t)(openapi_v3.ParseDocument(raw))
		must[proto.Models](t)(proto.NewOpenAPIV3Data(parsed))
		docs.v3[path] = &spec3.OpenAPI{}
		if err := json.Unmarshal(raw, docs.v3[path]); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		checkReferences(t, path, raw)
		if _, err := gv.Schema("application/com.github.proto-openapi.spec.v3@v1.0+protobuf"); err != nil {
			t.Errorf("%s in protobuf: %v", path, err)
		}
	}
	checkReferences(t, "/openapi/v2", raw)
	return docs
}

// checkReferences finds the target of every $ref in a document.
func checkReferences(t *testing.T, name string, raw []byte) {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	find := func(ref string) bool {
		var at any = doc
		for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			m, _ := at.(map[string]any)
			if at = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]; at == nil {
				return false
			}
		}
		return true
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && !find(ref) {
				t.Errorf("%s: %s leads nowhere", name, ref)
			}
			for _, v := range v {
				walk(v)
			}
		case []any:
			for _, v := range v {
				walk(v)
			}
		}
	}
	walk(doc)
}

// gvks are the types that a schema is said to describe.
func gvks(extensions spec.Extensions) (out []schema.GroupVersionKind) {
	b, _ := json.Marshal(extensions[gvkExtension])
	var list []schema.GroupVersionKind
	if json.Unmarshal(b, &list) != nil {
		var one schema.GroupVersionKind
		if json.Unmarshal(b, &one) == nil && one.Kind != "" {
			list = append(list, one)
		}
	}
	return list
}

// Every kind, field and verb that is served is described, by documents that Kubernetes' own parsers take.
func TestOpenAPI(t *testing.T) {
	s := startServer(t, "openapi", nil)
	d := must[*discovery.DiscoveryClient](t)(discovery.NewDiscoveryClientForConfig(s.config(t)))
	docs := readDocuments(t, d)
	lists := must[[]*metav1.APIResourceList](t)(d.ServerPreferredResources())
	_, all, err := d.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	if len(lists) < 15 {
		t.Errorf("only %d group versions", len(lists))
	}
	compared := map[reflect.Type]bool{}
	for _, list := range all {
		gv := must[schema.GroupVersion](t)(schema.ParseGroupVersion(list.GroupVersion))
		path := "apis/" + list.GroupVersion
		if gv.Group == "" {
			path = "api/" + gv.Version
		}
		if docs.v3[path] == nil {
			t.Errorf("/openapi/v3/%s does not exist", path)
			continue
		}
		for _, r := range list.APIResources {
			kind := gv.WithKind(r.Kind)
			if r.Group != "" || r.Version != "" {
				kind = schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
			}
			docs.describesResource(path, gv, r)
			if strings.Contains(r.Name, "/") {
				continue
			}
			v3 := docs.v3[path].Components.Schemas
			name := ""
			for n, s := range v3 {
				if slices.Contains(gvks(s.Extensions), kind) {
					name = n
				}
			}
			if _, ok := docs.v2.Definitions[name]; name == "" || !ok {
				t.Errorf("%v is not described (%q)", kind, name)
				continue
			}
			if obj, err := scheme.Scheme.New(kind); err == nil {
				docs.describesType(reflect.TypeOf(obj).Elem(), name, docs.v2.Definitions, compared)
				v3s := spec.Definitions{}
				for n, s := range v3 {
					v3s[n] = *s
				}
				docs.describesType(reflect.TypeOf(obj).Elem(), name, v3s, map[reflect.Type]bool{})
			}
		}
	}
	if len(compared) < 300 {
		t.Errorf("only %d types were compared", len(compared))
	}
	s.explains(t, lists)
}

// describesResource finds an operation for each verb of a resource.
func (d *documents) describesResource(document string, gv schema.GroupVersion, r metav1.APIResource) {
	d.Helper()
	base := "/" + document + "/"
	if r.Namespaced {
		base += "namespaces/{namespace}/"
	}
	collection, object, _ := strings.Cut(r.Name, "/")
	one := base + collection + "/{name}"
	if object != "" {
		one += "/" + object
	}
	for _, verb := range r.Verbs {
		path, action := one, verb
		switch verb {
		case "list", "deletecollection":
			path = base + collection
		case "create":
			action = "post"
			if object == "" {
				path = base + collection
			}
			if r.Kind == "PodExecOptions" || r.Kind == "PodAttachOptions" || r.Kind == "PodPortForwardOptions" || strings.HasSuffix(r.Kind, "ProxyOptions") {
				action = "connect"
			}
		case "get":
			if r.Kind == "PodExecOptions" || r.Kind == "PodAttachOptions" || r.Kind == "PodPortForwardOptions" || strings.HasSuffix(r.Kind, "ProxyOptions") {
				action = "connect"
			}
		case "update":
			action = "put"
		case "watch":
			continue // a parameter of list
		case "patch", "delete":
			if strings.HasSuffix(r.Kind, "ProxyOptions") {
				action = "connect"
			}
		}
		if strings.HasSuffix(r.Kind, "ProxyOptions") {
			action = "connect"
		}
		for name, actions := range map[string][]string{"/openapi/v2": d.actions2(path), "/openapi/v3/" + document: d.actions3(document, path)} {
			if !slices.Contains(actions, action) {
				d.Errorf("%s: %s has no operation for %s of %s in %v, only %v", name, path, action, r.Name, gv, actions)
			}
		}
	}
}

func (d *documents) actions2(path string) (out []string) {
	p, ok := d.v2.Paths.Paths[path]
	if !ok {
		return nil
	}
	for _, op := range []*spec.Operation{p.Get, p.Put, p.Post, p.Delete, p.Patch, p.Options, p.Head} {
		if op != nil {
			out = append(out, fmt.Sprint(op.Extensions["x-kubernetes-action"]))
		}
	}
	return out
}

func (d *documents) actions3(document, path string) (out []string) {
	p := d.v3[document].Paths.Paths[path]
	if p == nil {
		return nil
	}
	for _, op := range []*spec3.Operation{p.Get, p.Put, p.Post, p.Delete, p.Patch, p.Options, p.Head} {
		if op != nil {
			out = append(out, fmt.Sprint(op.Extensions["x-kubernetes-action"]))
		}
	}
	return out
}

// opaque are the types that have a form of their own in JSON.
var opaque = []string{"Time", "MicroTime", "Quantity", "IntOrString", "RawExtension", "FieldsV1", "Duration", "JSON", "JSONSchemaProps",
	"JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray"}

// describesType compares a schema with the Go type of k8s.io/api: its fields, and how patches merge them.
func (d *documents) describesType(typ reflect.Type, name string, in spec.Definitions, seen map[reflect.Type]bool) {
	d.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || seen[typ] || slices.Contains(opaque, typ.Name()) {
		return
	}
	seen[typ] = true
	s, ok := in[name]
	if !ok {
		d.Errorf("%v: no schema %q", typ, name)
		return
	}
	if s.Description == "" {
		d.Errorf("%s has no description", name)
	}
	fields := map[string]reflect.StructField{}
	collect(typ, fields)
	for f := range s.Properties {
		if _, ok := fields[f]; !ok {
			d.Errorf("%s describes a field %s, which Kubernetes does not have", name, f)
		}
	}
	for f, field := range fields {
		p, ok := s.Properties[f]
		if !ok {
			d.Errorf("%s does not describe %s", name, f)
			continue
		}
		for extension, tag := range map[string]string{"x-kubernetes-patch-strategy": "patchStrategy", "x-kubernetes-patch-merge-key": "patchMergeKey"} {
			if got, want := p.Extensions[extension], field.Tag.Get(tag); want != "" && got != want || want == "" && got != nil {
				d.Errorf("%s.%s: %s is %v, want %q", name, f, extension, got, want)
			}
		}
		if p.Description == "" && f != "apiVersion" && f != "kind" {
			d.Errorf("%s.%s has no description", name, f)
		}
		if next := reference(p); next != "" {
			d.describesType(field.Type, next, in, seen)
		}
	}
}

// collect gathers the JSON fields of a struct, those of inlined ones too.
func collect(typ reflect.Type, into map[string]reflect.StructField) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case strings.Contains(options, "inline") || f.Anonymous && name == "":
			collect(f.Type, into)
		case name != "" && name != "-":
			into[name] = f
		}
	}
}

// reference is the name of the schema that a property refers to: itself, by its items or by its values.
func reference(p spec.Schema) string {
	for {
		ref := p.Ref.String()
		for _, one := range p.AllOf {
			ref = max(ref, one.Ref.String())
		}
		switch {
		case ref != "":
			return ref[strings.LastIndex(ref, "/")+1:]
		case p.Items != nil && p.Items.Schema != nil:
			p = *p.Items.Schema
		case p.AdditionalProperties != nil && p.AdditionalProperties.Schema != nil:
			p = *p.AdditionalProperties.Schema
		default:
			return ""
		}
	}
}

// explains runs kubectl explain for every kind.
func (s *apiserver) explains(t *testing.T, lists []*metav1.APIResourceList) {
	kubectl, home := program(t, "kubectl"), t.TempDir()
	for _, list := range lists {
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") {
				continue
			}
			cmd := exec.CommandContext(t.Context(), kubectl, "explain", r.Name, "--recursive", "--api-version", list.GroupVersion)
			cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(s.dir, "admin.kubeconfig"), "KUBECACHEDIR="+home)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "KIND:       "+r.Kind) || !strings.Contains(string(out), "FIELDS:") || strings.Contains(string(out), "<empty>") {
				t.Errorf("explain %s: %v\n%.300s", r.Name, err, out)
			}
		}
	}
}

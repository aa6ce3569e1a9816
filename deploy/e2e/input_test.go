package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s"},"spec":{"containers":[{"name":"c","image":"none:v1"}]%s}}`

// A request with a field that is unknown, there twice or of the wrong type is refused, answered with a warning, or taken,
// as the client wishes.
func TestFieldValidation(t *testing.T) {
	ns := namespace(t)
	admin := adminClient(t)
	collection := "/api/v1/namespaces/" + ns + "/pods"
	unknown := fmt.Sprintf(pod, "unknown", `,"foo":1,"nodeName":"a","nodeName":"b"`)

	got := admin.do(t, "POST", collection+"?fieldValidation=Strict&dryRun=All", jsonType, unknown)
	got.want(t, 400, "BadRequest", `Pod in version "v1" cannot be handled as a Pod: strict decoding error: `,
		`unknown field "spec.foo"`, `duplicate field "spec.nodeName"`)

	got = admin.do(t, "POST", collection+"?fieldValidation=Warn&dryRun=All", jsonType, unknown)
	warnings := strings.Join(got.header.Values("Warning"), "\n")
	for _, w := range []string{`299 - "unknown field \"spec.foo\""`, `299 - "duplicate field \"spec.nodeName\""`} {
		if got.code != 201 || !strings.Contains(warnings, w) {
			t.Errorf("Warn: code %d, warnings %q, want %q", got.code, warnings, w)
		}
	}

	got = admin.do(t, "POST", collection+"?fieldValidation=Ignore&dryRun=All", jsonType, unknown)
	if got.code != 201 || len(got.header.Values("Warning")) != 0 {
		t.Errorf("Ignore: code %d, warnings %q", got.code, got.header.Values("Warning"))
	}

	got = admin.do(t, "POST", collection+"?fieldValidation=Maybe", jsonType, fmt.Sprintf(pod, "any", ""))
	got.want(t, 422, "Invalid", "fieldValidation", `"Maybe"`)

	for _, mode := range []string{"Strict", "Warn", "Ignore"} {
		got = admin.do(t, "POST", collection+"?fieldValidation="+mode, jsonType, fmt.Sprintf(pod, "mistyped", `,"hostNetwork":"yes"`))
		got.want(t, 400, "BadRequest", `Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go`, "hostNetwork", "bool")
	}

	for _, how := range [][]string{{"create"}, {"apply"}, {"apply", "--server-side"}} {
		out, err := kubectlStdin(unknown, append(how, "-n", ns, "-f", "-")...)
		if err == nil || !strings.Contains(out, "spec.foo") {
			t.Errorf("kubectl %v with an unknown field: %v\n%s", how, err, out)
		}
	}
	if out, err := kubectlStdin(unknown, "create", "--validate=warn", "--dry-run=server", "-n", ns, "-f", "-"); err != nil || !strings.Contains(out, `Warning: unknown field "spec.foo"`) {
		t.Errorf("kubectl create --validate=warn: %v\n%s", err, out)
	}
	nothingCreated(t, admin, collection)
}

// nothingCreated checks that none of the refused requests left an object.
func nothingCreated(t *testing.T, c *httpClient, collection string) {
	t.Helper()
	if got := c.do(t, "GET", collection, "", ""); got.code != 200 || !strings.Contains(got.body, `"items":[]`) {
		t.Errorf("refused requests left objects: %s", short(got.body))
	}
}

// Each wrong value is refused by an Invalid status that names its field.
func TestInvalidObjects(t *testing.T) {
	ns := namespace(t)
	admin := adminClient(t)
	deployment := func(name, replicas, selected, labelled, container string) string {
		return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":%q},"spec":{"replicas":%s,"selector":{"matchLabels":{"app":%q}},
			"template":{"metadata":{"labels":{"app":%q}},"spec":{"containers":[{%s}]}}}}`, name, replicas, selected, labelled, container)
	}
	const good = `"name":"c","image":"none:v1"`
	for _, c := range []struct{ name, path, body, kind, message string }{
		{"name", "/api/v1/namespaces/" + ns + "/pods", fmt.Sprintf(pod, "Bad_Name", ""), "Pod",
			`Pod "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters`},
		{"label", "/api/v1/namespaces/" + ns + "/configmaps", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{"a":"b c"}}}`, "ConfigMap",
			`ConfigMap "a" is invalid: metadata.labels: Invalid value: "b c": a valid label must be an empty string or consist of`},
		{"data key", "/api/v1/namespaces/" + ns + "/configmaps", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a b":""}}`, "ConfigMap",
			`data[a b]: Invalid value: "a b": a valid config key must consist of`},
		{"negative replicas", "/apis/apps/v1/namespaces/" + ns + "/deployments", deployment("d", "-1", "a", "a", good), "Deployment",
			`Deployment.apps "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0`},
		{"selector", "/apis/apps/v1/namespaces/" + ns + "/deployments", deployment("d", "1", "a", "b", good), "Deployment",
			"Deployment.apps \"d\" is invalid: spec.template.metadata.labels: Invalid value: {\"app\":\"b\"}: `selector` does not match template `labels`"},
		{"no image", "/apis/apps/v1/namespaces/" + ns + "/deployments", deployment("d", "1", "a", "a", `"name":"c"`), "Deployment",
			`Deployment.apps "d" is invalid: spec.template.spec.containers[0].image: Required value`},
		{"no containers", "/api/v1/namespaces/" + ns + "/pods", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{}}`, "Pod",
			`Pod "a" is invalid: spec.containers: Required value`},
		{"port", "/api/v1/namespaces/" + ns + "/services", `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"port":70000}]}}`, "Service",
			`spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive`},
		{"enum", "/api/v1/namespaces/" + ns + "/pods", fmt.Sprintf(pod, "a", `,"restartPolicy":"Sometimes"`), "Pod",
			`Pod "a" is invalid: spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"`},
		{"quantity", "/api/v1/namespaces/" + ns + "/pods", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"i",
			"resources":{"requests":{"memory":"2Gi"},"limits":{"memory":"1Gi"}}}]}}`, "Pod",
			`spec.containers[0].resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := admin.do(t, "POST", c.path, jsonType, c.body)
			got.want(t, 422, "Invalid", c.message)
			if got.status.Details == nil || got.status.Details.Kind != c.kind || len(got.status.Details.Causes) == 0 {
				t.Errorf("details: %+v", got.status.Details)
			}
		})
	}

	// All that is wrong is told at once, each cause with its field.
	all := admin.do(t, "POST", "/apis/apps/v1/namespaces/"+ns+"/deployments", jsonType,
		deployment("Bad_Name", "-3", "a", "b", `"name":"C","imagePullPolicy":"Maybe","ports":[{"containerPort":0}]`))
	all.want(t, 422, "Invalid")
	fields := map[string]bool{}
	if all.status.Details != nil {
		for _, c := range all.status.Details.Causes {
			fields[c.Field] = true
			if c.Type == "" || c.Message == "" || !strings.Contains(all.status.Message, c.Message) {
				t.Errorf("cause %+v is not in the message", c)
			}
		}
	}
	for _, f := range []string{"metadata.name", "spec.replicas", "spec.template.metadata.labels", "spec.template.spec.containers[0].name", "spec.template.spec.containers[0].image",
		"spec.template.spec.containers[0].imagePullPolicy", "spec.template.spec.containers[0].ports[0].containerPort"} {
		if !fields[f] {
			t.Errorf("%s is not among the causes of: %s", f, all.status.Message)
		}
	}
	for _, resource := range []string{"/api/v1/namespaces/" + ns + "/pods", "/apis/apps/v1/namespaces/" + ns + "/deployments"} {
		nothingCreated(t, admin, resource)
	}
}

// What cannot be changed any more stays, and the answer names the field.
func TestImmutableFields(t *testing.T) {
	ns := namespace(t)
	apply(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: %[1]s}
spec:
  replicas: 0
  selector: {matchLabels: {app: d}}
  template: {metadata: {labels: {app: d, b: c}}, spec: {containers: [{name: c, image: "none:v1"}]}}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: %[1]s}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: %[1]s}
spec: {containers: [{name: c, image: "none:v1", imagePullPolicy: Never}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: %[1]s}
immutable: true
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: %[1]s}
immutable: true
stringData: {a: b}
`, ns))
	for _, c := range []struct{ object, patch, message string }{
		{"deployment/d", `{"spec":{"selector":{"matchLabels":{"b":"c"}}}}`, `The Deployment "d" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"d","b":"c"}}: field is immutable`},
		{"service/s", `{"spec":{"clusterIP":"10.96.77.77","clusterIPs":["10.96.77.77"]}}`, `spec.clusterIPs[0]: Invalid value: ["10.96.77.77"]: may not change once set`},
		{"pod/p", `{"spec":{"hostNetwork":true}}`, `The Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than ` + "`spec.containers[*].image`"},
		{"pod/p", `{"metadata":{"uid":"x"}}`, `The Pod "p" is invalid: metadata.uid: Invalid value: "x": field is immutable`},
		{"configmap/c", `{"data":{"a":"c"}}`, "The ConfigMap \"c\" is invalid: data: Forbidden: field is immutable when `immutable` is set"},
		{"configmap/c", `{"immutable":false}`, "immutable: Forbidden: field is immutable when `immutable` is set"},
		{"secret/s", `{"stringData":{"a":"c"}}`, "The Secret \"s\" is invalid: data: Forbidden: field is immutable when `immutable` is set"},
		{"secret/s", `{"type":"x/y"}`, `type: Invalid value: "x/y": field is immutable`},
	} {
		out, err := try("-n", ns, "patch", c.object, "-p", c.patch)
		if err == nil || !strings.Contains(out, c.message) {
			t.Errorf("patch %s with %s: %v\n got %s\nwant %s", c.object, c.patch, err, out, c.message)
		}
	}
}

func TestLargeObjects(t *testing.T) {
	ns := namespace(t)
	admin := adminClient(t)
	collection := "/api/v1/namespaces/" + ns + "/configmaps"
	configMap := func(size int) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"big"},"data":{"a":%q}}`, strings.Repeat("x", size))
	}
	got := admin.do(t, "POST", collection, jsonType, configMap(3<<20))
	got.want(t, 413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
	got = admin.do(t, "POST", collection, jsonType, configMap(2<<20))
	got.want(t, 422, "Invalid", "1048576")
	file := filepath.Join(t.TempDir(), "big.json")
	if err := os.WriteFile(file, []byte(configMap(3<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := try("-n", ns, "create", "-f", file); err == nil || !strings.Contains(out, "limit is 3145728") {
		t.Errorf("kubectl create: %v\n%s", err, short(out))
	}
	if got := admin.do(t, "GET", collection+"/big", "", ""); got.code != 404 {
		t.Errorf("a refused object is there: %d %s", got.code, short(got.body))
	}
}

func TestMalformedRequests(t *testing.T) {
	ns := namespace(t)
	admin := adminClient(t)
	pods := "/api/v1/namespaces/" + ns + "/pods"
	apply(t, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: %s}\ndata: {a: b}\n", ns))
	object := "/api/v1/namespaces/" + ns + "/configmaps/c"
	before := admin.do(t, "GET", object, "", "").body

	const protobuf, merge, strategic, jsonPatch, applyPatch = "application/vnd.kubernetes.protobuf", "application/merge-patch+json",
		"application/strategic-merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml"
	for _, c := range []struct {
		name, method, path, contentType, body string
		code                                  int
		reason, message                       string
	}{
		{"json", "POST", pods, jsonType, `{"apiVersion":"v1",`, 400, "BadRequest", "unexpected end of JSON input"},
		{"json of another form", "POST", pods, jsonType, `[1]`, 400, "BadRequest", "array"},
		{"empty", "POST", pods, jsonType, ``, 400, "BadRequest", ""},
		{"yaml", "POST", pods, "application/yaml", "apiVersion: v1\n\tkind: [", 400, "BadRequest", "yaml"},
		{"protobuf without its prefix", "POST", pods, protobuf, "abcdefgh", 400, "BadRequest", "protobuf"},
		{"protobuf cut off", "POST", pods, protobuf, "k8s\x00\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x7fabc", 400, "BadRequest", ""},
		{"another kind", "POST", pods, jsonType, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"}}`, 400, "BadRequest", "Deployment in version \"apps/v1\" cannot be handled as a Pod"},
		{"unknown version", "POST", pods, jsonType, `{"apiVersion":"v9","kind":"Pod","metadata":{"name":"a"}}`, 400, "BadRequest", "v9"},
		{"another namespace", "POST", pods, jsonType, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"other"}}`, 400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"},
		{"another name", "PUT", object, jsonType, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"}}`, 400, "BadRequest", "the name of the object (d) does not match the name on the URL (c)"},
		{"content type", "POST", pods, "text/plain", `a`, 415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf"},
		{"merge patch", "PATCH", object, merge, `{"data":`, 400, "BadRequest", "error decoding patch"},
		{"merge patch of another form", "PATCH", object, merge, `[]`, 400, "BadRequest", ""},
		{"strategic merge patch", "PATCH", object, strategic, `{"data":`, 400, "BadRequest", "unexpected end of JSON input"},
		{"strategic merge patch with an unknown directive", "PATCH", object, strategic, `{"data":{"$patch":"explode"}}`, 422, "Invalid", "explode"},
		{"json patch", "PATCH", object, jsonPatch, `{"op":"add"}`, 400, "BadRequest", "cannot unmarshal object into Go value of type jsonpatch.Patch"},
		{"json patch without its path", "PATCH", object, jsonPatch, `[{"op":"remove","path":"/data/none"}]`, 422, "Invalid", "/data/none"},
		{"json patch whose test fails", "PATCH", object, jsonPatch, `[{"op":"test","path":"/data/a","value":"z"}]`, 422, "Invalid", "testing value /data/a failed"},
		{"apply", "PATCH", object + "?fieldManager=me", applyPatch, "a: [", 400, "BadRequest", "error decoding YAML"},
		{"apply without manager", "PATCH", object, applyPatch, `{"apiVersion":"v1","kind":"ConfigMap"}`, 422, "Invalid", "fieldManager: Required value: is required for apply patch"},
		{"patch type", "PATCH", object, jsonType, `{}`, 415, "UnsupportedMediaType", "accepted media types include: application/json-patch+json, application/merge-patch+json"},
		{"mistyped patch", "PATCH", object, merge, `{"data":{"a":[1]}}`, 422, "Invalid", "patch: Invalid value"},
		{"stale update", "PUT", object, jsonType, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","resourceVersion":"1"}}`, 409, "Conflict", `Operation cannot be fulfilled on configmaps "c": the object has been modified; please apply your changes to the latest version and try again`},
		{"exists", "POST", "/api/v1/namespaces/" + ns + "/configmaps", jsonType, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`, 409, "AlreadyExists", `configmaps "c" already exists`},
		{"absent", "GET", "/api/v1/namespaces/" + ns + "/configmaps/none", "", "", 404, "NotFound", `configmaps "none" not found`},
		{"absent namespace", "POST", "/api/v1/namespaces/none/configmaps", jsonType, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`, 404, "NotFound", `namespaces "none" not found`},
		{"label selector", "GET", pods + "?labelSelector=a%3D%3D%3Db", "", "", 400, "BadRequest", "unable to parse requirement"},
		{"field selector", "GET", pods + "?fieldSelector=spec.nothing%3Da", "", "", 400, "BadRequest", "field label not supported: spec.nothing"},
		{"continue", "GET", pods + "?limit=1&continue=abc", "", "", 400, "BadRequest", "continue key is not valid"},
		{"method", "POST", object, jsonType, `{"apiVersion":"v1","kind":"ConfigMap"}`, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := admin.do(t, c.method, c.path, c.contentType, c.body)
			got.want(t, c.code, metav1.StatusReason(c.reason), c.message)
		})
	}
	if after := admin.do(t, "GET", object, "", "").body; after != before {
		t.Errorf("the object was changed:\n%s\n%s", before, after)
	}
	nothingCreated(t, admin, pods)

	for _, c := range []struct{ stdin, message string }{
		{"apiVersion: v1\nkind: [", "error converting YAML to JSON"},
		{`{"apiVersion":"v1",`, "error"},
		{"apiVersion: v1\nkind: Foo\nmetadata: {name: a}", `no matches for kind "Foo" in version "v1"`},
		{"apiVersion: none.io/v1\nkind: Foo\nmetadata: {name: a}", `no matches for kind "Foo" in version "none.io/v1"`},
	} {
		if out, err := kubectlStdin(c.stdin, "create", "-f", "-"); err == nil || !strings.Contains(out, c.message) {
			t.Errorf("kubectl create of %q: %v\n%s", c.stdin, err, out)
		}
	}
	if out, err := try("get", "foos"); err == nil || !strings.Contains(out, `the server doesn't have a resource type "foos"`) {
		t.Errorf("get foos: %v %s", err, out)
	}
	for _, path := range []string{"/api/v1/foos", "/api/v1/namespaces/" + ns + "/foos/a", "/apis/none.io/v1", "/none"} {
		if got := admin.do(t, "GET", path, "", ""); got.code != 404 {
			t.Errorf("%s: %d %s", path, got.code, got.body)
		}
	}
}

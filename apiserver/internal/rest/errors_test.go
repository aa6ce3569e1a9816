package rest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// status is what tests look at in a Status.
type status struct {
	Kind, APIVersion, Status, Message, Reason string
	Code                                      int
	Details                                   struct {
		Name, Group, Kind string
		Causes            []struct{ Reason, Message, Field string }
	}
}

func decodeStatus(t *testing.T, a answer) status {
	t.Helper()
	var s status
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		t.Fatalf("%d %q: %v", a.StatusCode, a.body, err)
	}
	if s.Kind != "Status" || s.APIVersion != "v1" {
		t.Fatalf("not a Status: %s", a.body)
	}
	return s
}

func TestFailures(t *testing.T) {
	srv := start(t)
	const jsonType = "application/json"
	namespace := `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n1"}%s}`
	tests := []struct {
		name, method, path, contentType, body string
		code                                  int
		reason, message                       string
	}{
		{"unknown path", "GET", "/nothing", "", "", 404, "NotFound", "the server could not find the requested resource"},
		{"unknown resource", "GET", "/api/v1/things", "", "", 404, "NotFound", "the server could not find the requested resource"},
		{"unknown group", "GET", "/apis/example.com/v1/things", "", "", 404, "NotFound", "the server could not find the requested resource"},
		{"unknown version", "GET", "/apis/apps/v1beta1/deployments", "", "", 404, "NotFound", "the server could not find the requested resource"},
		{"unknown subresource", "GET", "/api/v1/namespaces/default/pods/p/nothing", "", "", 404, "NotFound", "the server could not find the requested resource"},
		{"namespaced without namespace", "GET", "/api/v1/pods/p", "", "", 404, "NotFound", "the server could not find the requested resource"},
		{"cluster-scoped in namespace", "GET", "/api/v1/namespaces/default/nodes", "", "", 404, "NotFound", "the server could not find the requested resource"},
		{"absent object", "GET", "/api/v1/namespaces/default/pods/p", "", "", 404, "NotFound", `pods "p" not found`},
		{"absent object of a group", "GET", "/apis/apps/v1/namespaces/default/deployments/d", "", "", 404, "NotFound", `deployments.apps "d" not found`},
		{"put on a collection", "PUT", "/api/v1/namespaces", jsonType, "{}", 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"},
		{"post across namespaces", "POST", "/api/v1/pods", jsonType, "{}", 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"},
		{"list of reviews", "GET", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "", "", 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"},
		{"media type", "POST", "/api/v1/namespaces", "text/plain", "x", 415, "UnsupportedMediaType",
			"the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf"},
		{"patch type", "PATCH", "/api/v1/namespaces/default", "application/apply-patch+cbor", "x", 415, "UnsupportedMediaType",
			"the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"},
		{"malformed JSON", "POST", "/api/v1/namespaces", jsonType, `{"kind":`, 400, "BadRequest", ""},
		{"malformed YAML", "POST", "/api/v1/namespaces", "application/yaml", "a: [", 400, "BadRequest", ""},
		{"malformed protobuf", "POST", "/api/v1/namespaces", "application/vnd.kubernetes.protobuf", "k8s\x00\xff", 400, "BadRequest", ""},
		{"protobuf without magic", "POST", "/api/v1/namespaces", "application/vnd.kubernetes.protobuf", "{}", 400, "BadRequest", ""},
		{"protobuf of another kind", "POST", "/api/v1/namespaces", "application/vnd.kubernetes.protobuf", "k8s\x00\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x00", 400, "BadRequest",
			`Pod in version "v1" cannot be handled as a Namespace`},
		{"malformed JSON patch", "PATCH", "/api/v1/namespaces/default", "application/json-patch+json", `{"op":"add"}`, 400, "BadRequest", ""},
		{"malformed merge patch", "PATCH", "/api/v1/namespaces/default", "application/merge-patch+json", `{`, 400, "BadRequest", ""},
		{"malformed strategic patch", "PATCH", "/api/v1/namespaces/default", "application/strategic-merge-patch+json", `[`, 400, "BadRequest", ""},
		{"unknown field", "POST", "/api/v1/namespaces?fieldValidation=Strict", jsonType, strings.Replace(namespace, "%s", `,"spec":{"foo":1}`, 1), 400, "BadRequest", ""},
		{"duplicate field", "POST", "/api/v1/namespaces?fieldValidation=Strict", jsonType, strings.Replace(namespace, "%s", `,"kind":"Namespace"`, 1), 400, "BadRequest", ""},
		{"duplicate YAML key", "POST", "/api/v1/namespaces?fieldValidation=Strict", "application/yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: n1, name: n2}\n", 400, "BadRequest", ""},
		{"mistyped field", "POST", "/api/v1/namespaces", jsonType, strings.Replace(namespace, "%s", `,"spec":{"finalizers":"x"}`, 1), 400, "BadRequest", ""},
		{"option values", "POST", "/api/v1/namespaces?dryRun=Some&fieldValidation=Maybe", jsonType, "{}", 422, "Invalid",
			`CreateOptions.meta.k8s.io "" is invalid: [dryRun: Unsupported value: ["Some"]: supported values: "All", fieldValidation: Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"]`},
		{"apply without manager", "PATCH", "/api/v1/namespaces/default", "application/apply-patch+yaml", "{}", 422, "Invalid",
			`PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch`},
		{"all that is wrong with options", "PATCH", "/api/v1/namespaces/default?force=true&dryRun=Some&fieldManager=" + strings.Repeat("m", 129), "application/merge-patch+json", "{}", 422, "Invalid",
			`PatchOptions.meta.k8s.io "" is invalid: [force: Forbidden: may not be specified for non-apply patch, fieldManager: Too long: may not be more than 128 bytes, dryRun: Unsupported value: ["Some"]: supported values: "All"]`},
		{"force without apply", "PATCH", "/api/v1/namespaces/default?force=true", "application/merge-patch+json", "{}", 422, "Invalid",
			`PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch`},
		{"no body", "POST", "/api/v1/namespaces", jsonType, "", 400, "BadRequest",
			"the object provided is unrecognized (must be of type Namespace): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"},
		{"half a body", "POST", "/api/v1/namespaces", jsonType, `{"metadata":{"name":"one that is long`, 400, "BadRequest",
			`the object provided is unrecognized (must be of type Namespace): couldn't get version/kind; json parse error: unexpected end of JSON input ({"metadata":{"name":"one that  ...)`},
		{"bad limit", "GET", "/api/v1/pods?limit=x", "", "", 400, "BadRequest", `strconv.ParseInt: parsing "x": invalid syntax`},
		{"bad selector", "GET", "/api/v1/pods?labelSelector=a%3D%3D%3Db", "", "", 400, "BadRequest", ""},
		{"version match without version", "GET", "/api/v1/pods?resourceVersionMatch=Exact", "", "", 422, "Invalid",
			`ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided`},
		{"deletion of a collection of no version", "DELETE", "/api/v1/namespaces/default/configmaps?resourceVersion=abc", "", "", 400, "BadRequest", `invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax`},
		{"deletion of a collection from nowhere", "DELETE", "/api/v1/namespaces/default/configmaps?continue=x", "", "", 400, "BadRequest", ""},
		{"deletion of all namespaces", "DELETE", "/api/v1/namespaces", "", "", 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"},
		{"bad propagation", "DELETE", "/api/v1/namespaces/default?propagationPolicy=Sideways", "", "", 422, "Invalid",
			`DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sideways": supported values: "Foreground", "Background", "Orphan", "nil"`},
		{"not an upgrade", "GET", "/api/v1/namespaces/default/pods/p/exec?command=x&stdout=1", "", "", 404, "NotFound", `pods "p" not found`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := do(t, srv, tt.method, tt.path, tt.body, "Content-Type", tt.contentType)
			s := decodeStatus(t, a)
			if a.StatusCode != tt.code || s.Code != tt.code || s.Reason != tt.reason || s.Status != "Failure" {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
			if s.Message == "" || (tt.message != "" && s.Message != tt.message) {
				t.Errorf("message %q, want %q", s.Message, tt.message)
			}
			if a.Header.Get("Audit-Id") == "" {
				t.Error("no Audit-Id")
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	srv := start(t)
	for _, path := range []string{"/api/v1/namespaces", "/api/v1/namespaces/default"} {
		method := "POST"
		if strings.HasSuffix(path, "default") {
			method = "PUT"
		}
		a := do(t, srv, method, path, strings.Repeat("x", 3<<20+1), "Content-Type", "application/json")
		if s := decodeStatus(t, a); s.Code != 413 || s.Message != "Request entity too large: limit is 3145728" {
			t.Errorf("%+v", s)
		}
	}
}

func TestAnonymous(t *testing.T) {
	srv := start(t)
	for _, tt := range []struct {
		path, message string
		code          int
	}{
		{"/healthz", "", 200},
		{"/api/v1/pods", `pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope`, 403},
		// What does not exist is not told apart from what is not allowed.
		{"/api/v1/things", `things is forbidden: User "system:anonymous" cannot list resource "things" in API group "" at the cluster scope`, 403},
		{"/apis", `forbidden: User "system:anonymous" cannot get path "/apis"`, 403},
		{"/nothing", `forbidden: User "system:anonymous" cannot get path "/nothing"`, 403},
		{"/api/v1/namespaces/default/pods/p/log", `pods "p" is forbidden: User "system:anonymous" cannot get resource "pods/log" in API group "" in the namespace "default"`, 403},
		{"/api/v1/namespaces/default/pods/p/exec", `pods "p" is forbidden: User "system:anonymous" cannot get resource "pods/exec" in API group "" in the namespace "default"`, 403},
	} {
		a := do(t, srv, http.MethodGet, tt.path, "", "X-User", "")
		if a.StatusCode != tt.code {
			t.Errorf("%s: %d %s", tt.path, a.StatusCode, a.body)
			continue
		}
		if tt.code != 200 {
			if s := decodeStatus(t, a); s.Message != tt.message {
				t.Errorf("%s: %q", tt.path, s.Message)
			}
		}
	}
}

func TestImpersonation(t *testing.T) {
	srv := start(t)
	for _, tt := range []struct {
		user, message string
		header        []string
	}{
		{"admin", `pods is forbidden: User "jane" cannot list resource "pods" in API group "" at the cluster scope`, []string{"Impersonate-User", "jane"}},
		{"admin", "", []string{"Impersonate-User", "jane", "Impersonate-Group", "system:masters"}},
		{"jane", `users "admin" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope`, []string{"Impersonate-User", "admin"}},
		{"jane", `serviceaccounts "sa" is forbidden: User "jane" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "ns"`,
			[]string{"Impersonate-User", "system:serviceaccount:ns:sa"}},
		{"admin", "requested impersonation of groups, a UID or extra information without impersonating a user", []string{"Impersonate-Group", "g"}},
	} {
		a := do(t, srv, "GET", "/api/v1/pods", "", append([]string{"X-User", tt.user}, tt.header...)...)
		if tt.message == "" {
			if a.StatusCode != 200 {
				t.Errorf("%v: %d %s", tt.header, a.StatusCode, a.body)
			}
		} else if s := decodeStatus(t, a); s.Message != tt.message {
			t.Errorf("%v: %q", tt.header, s.Message)
		}
	}
}

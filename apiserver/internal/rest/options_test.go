package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func configMap(name string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q}}`, name)
}

func TestListAndWatchOptions(t *testing.T) {
	srv := start(t)
	const at = "/api/v1/namespaces/default/configmaps"
	for _, n := range []string{"a", "b", "c"} {
		do(t, srv, "POST", at, configMap(n))
	}
	tests := []struct {
		name, query string
		code        int
		want        string
	}{
		{"unknown parameters", "foo=bar&pretty=true", 200, `"kind": "ConfigMapList"`},
		{"match without version", "resourceVersionMatch=Exact", 422, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"},
		{"exact zero", "resourceVersionMatch=Exact&resourceVersion=0", 422, `resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"`},
		{"unknown match", "resourceVersionMatch=Foo&resourceVersion=1", 422, `Unsupported value: \"Foo\": supported values: \"Exact\", \"NotOlderThan\", \"\"`},
		{"all that is wrong", "resourceVersionMatch=Foo&continue=x", 422, `[resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided, resourceVersionMatch: Unsupported value`},
		{"initial events of a list", "sendInitialEvents=true", 422, "sendInitialEvents is forbidden for list"},
		{"initial events without match", "watch=1&sendInitialEvents=true", 422, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"},
		{"initial events with another match", "watch=1&sendInitialEvents=true&resourceVersionMatch=Exact", 422, `Unsupported value: \"Exact\": supported values: \"NotOlderThan\"`},
		{"match of a watch", "watch=1&resourceVersionMatch=NotOlderThan", 422, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"},
		{"no initial events", "watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&timeoutSeconds=1", 200, ""},
		{"initial events", "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1", 200, `"annotations":{"k8s.io/initial-events-end":"true"}`},
		{"limit", "limit=x", 400, `strconv.ParseInt: parsing \"x\": invalid syntax`},
		{"timeout", "timeoutSeconds=x", 400, `strconv.ParseInt: parsing \"x\": invalid syntax`},
		{"version", "resourceVersion=x", 400, `invalid resource version: resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax`},
		{"future", "resourceVersion=99999999", 504, "Too large resource version: 99999999, current: "},
		{"continue", "continue=x", 400, "invalid continue token: continue key is not valid"},
		{"continue and version", "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0&resourceVersion=5", 400, "specifying resource version is not allowed when using continue"},
		{"label selector", "labelSelector=" + url.QueryEscape("a in ("), 400, "unable to parse requirement: found '', expected: "},
		{"field selector", "fieldSelector=x", 400, "invalid selector: 'x'; can't understand 'x'"},
		{"field", "fieldSelector=data.a%3Db", 400, `\"data.a\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"`},
		{"table", "includeObject=All&as=Table", 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := do(t, srv, "GET", at+"?"+tt.query, "")
			if got.StatusCode != tt.code || !strings.Contains(got.body, tt.want) {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
			if strings.Contains(tt.query, "sendInitialEvents=false") && got.body != "" {
				t.Errorf("initial events that were not asked for: %s", got.body)
			}
		})
	}
}

func TestLegacyWatchOfOneObject(t *testing.T) {
	srv := start(t)
	do(t, srv, "POST", "/api/v1/namespaces/default/configmaps", configMap("a"))
	do(t, srv, "POST", "/api/v1/namespaces/default/configmaps", configMap("b"))
	const at = "/api/v1/watch/namespaces/default/configmaps/a?timeoutSeconds=1"
	if got := do(t, srv, "GET", at, ""); strings.Count(got.body, "ADDED") != 1 || !strings.Contains(got.body, `"name":"a"`) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if got := do(t, srv, "GET", at+"&fieldSelector=metadata.name%3Db", ""); got.StatusCode != 400 || !strings.Contains(got.body, "fieldSelector metadata.name doesn't match requested name") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

func TestNegotiationErrors(t *testing.T) {
	srv := start(t)
	const at = "/api/v1/namespaces/default/configmaps"
	const kinds = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
	tests := []struct {
		name, method, path, body string
		header                   []string
		code                     int
		want                     string
	}{
		{"accept", "GET", at, "", []string{"Accept", "text/html"}, 406, "only the following media types are accepted: " + kinds + `"`},
		{"accept cbor", "GET", at, "", []string{"Accept", "application/cbor"}, 406, "only the following media types are accepted: " + kinds + `"`},
		{"accept of a watch", "GET", at + "?watch=1", "", []string{"Accept", "application/yaml"}, 406,
			"only the following media types are accepted: application/json;stream=watch,"},
		{"unknown stream", "GET", at, "", []string{"Accept", "application/json;stream=x"}, 406, "only the following media types"},
		{"quality", "GET", at, "", []string{"Accept", "application/yaml;q=0.2,application/json;q=0.1"}, 200, "kind: ConfigMapList"},
		{"body", "POST", at, "x", []string{"Content-Type", "text/plain"}, 415, "the body of the request was in an unknown format - accepted media types include: " + kinds},
		{"cbor body", "POST", at, "x", []string{"Content-Type", "application/cbor"}, 415, "accepted media types include: " + kinds},
		{"patch", "PATCH", at + "/a", "{}", []string{"Content-Type", "application/apply-patch+cbor"}, 415,
			"accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"},
		{"dry run", "POST", at + "?dryRun=Some", configMap("d"), nil, 422, `dryRun: Unsupported value: [\"Some\"]: supported values: \"All\"`},
		{"field validation", "POST", at + "?fieldValidation=x", configMap("d"), nil, 422, `supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"`},
		{"field manager", "POST", at + "?fieldManager=a%0Ab", configMap("d"), nil, 422, `invalid character U+000A (at position 1)`},
		{"propagation", "DELETE", at + "/a?propagationPolicy=x", "", nil, 422, `propagationPolicy: Unsupported value: \"x\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"`},
		{"propagation twice", "DELETE", at + "/a?propagationPolicy=Orphan&orphanDependents=true", "", nil, 422, "orphanDependents and deletionPropagation cannot be both set"},
		{"delete with something else", "DELETE", at + "/a", `{"apiVersion":"v1","kind":"Pod"}`, nil, 400, `no kind \"Pod\" is registered for version \"v1\"`},
		{"delete with nonsense", "DELETE", at + "/a", `{x`, nil, 400, "couldn't get version/kind; json parse error: invalid character 'x'"},
		{"delete by another version's options", "DELETE", at + "/a", `{"apiVersion":"apps/v1","kind":"DeleteOptions","dryRun":["All"]}`, nil, 200, `"status":"Success"`},
		{"precondition", "DELETE", at + "/a?uid=x", "", nil, 409, "Precondition failed: UID in precondition: x, UID in object meta: "},
		{"table", "GET", at + "?includeObject=All", "", []string{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io"}, 400,
			"Unable to convert to Table as requested: includeObject: Invalid value: \\\"All\\\": must be 'Metadata', 'Object', 'None', or empty"},
		{"protobuf table", "GET", at, "", []string{"Accept", "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io"}, 406, "only the following media types"},
		{"yaml table", "GET", at, "", []string{"Accept", "application/yaml;as=Table;v=v1;g=meta.k8s.io"}, 200, "kind: Table"},
		{"pretty", "GET", at + "/a", "", []string{"Accept", "application/json;pretty=1"}, 200, `"kind": "ConfigMap"`},
		{"not pretty", "GET", at + "/a?pretty=false", "", []string{"User-Agent", "curl/8"}, 200, `"kind":"ConfigMap"`},
	}
	do(t, srv, "POST", at, configMap("a"))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := do(t, srv, tt.method, tt.path, tt.body, tt.header...)
			if got.StatusCode != tt.code || !strings.Contains(got.body, tt.want) {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
		})
	}
}

func TestWatchOverWebSocket(t *testing.T) {
	srv := start(t)
	const at = "/api/v1/namespaces/default/configmaps"
	do(t, srv, "POST", at, configMap("a"))
	do(t, srv, "POST", at, configMap("b"))
	dial := func(accept string) *websocket.Conn {
		t.Helper()
		header := http.Header{"X-User": {"admin"}}
		if accept != "" {
			header.Set("Accept", accept)
		}
		ws, resp, err := (&websocket.Dialer{Subprotocols: []string{"base64url.bearer.authorization.k8s.io.eA", "one"}}).Dial(
			"ws"+strings.TrimPrefix(srv.URL, "http")+at+"?watch=1&resourceVersion=0", header)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		t.Cleanup(func() { _ = ws.Close() })
		if ws.Subprotocol() != "one" {
			t.Errorf("protocol %q", ws.Subprotocol())
		}
		return ws
	}
	for _, accept := range []string{"", "application/vnd.kubernetes.protobuf"} {
		ws := dial(accept)
		for _, name := range []string{"a", "b"} {
			kind, message, err := ws.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			want, wantKind := `{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"`+name+`"`, websocket.TextMessage
			if accept != "" {
				want, wantKind = "\x0a\x05ADDED\x12", websocket.BinaryMessage
			}
			if kind != wantKind || !strings.HasPrefix(string(message), want) {
				t.Errorf("%d %q", kind, message)
			}
		}
		if accept == "" {
			do(t, srv, "DELETE", at+"/b", "")
			if _, message, err := ws.ReadMessage(); err != nil || !strings.HasPrefix(string(message), `{"type":"DELETED"`) {
				t.Errorf("%q, %v", message, err)
			}
			do(t, srv, "POST", at, configMap("b"))
		}
	}
}

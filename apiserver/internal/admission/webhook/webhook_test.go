package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/keelson/keelson/apiserver/internal/admission/admissiontest"
	"github.com/keelson/keelson/apiserver/internal/admission/webhook"
	"github.com/keelson/keelson/apiserver/internal/callout"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

type tree = map[string]any

// hook is a webhook server. answer gets the request and returns the response's fields beside its uid.
type hook struct {
	*httptest.Server
	mu       sync.Mutex
	requests []tree
}

func serve(t *testing.T, answer func(path string, request tree) tree) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var review struct{ Request tree }
		if err := json.Unmarshal(body, &review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		h.requests = append(h.requests, review.Request)
		h.mu.Unlock()
		response := answer(r.URL.Path, review.Request)
		if raw, ok := response["raw"].(string); ok {
			_, _ = io.WriteString(w, raw)
			return
		}
		if code, ok := response["code"].(int); ok {
			http.Error(w, "broken", code)
			return
		}
		if _, ok := response["uid"]; !ok {
			response["uid"] = review.Request["uid"]
		}
		_ = json.NewEncoder(w).Encode(tree{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
	}))
	h.StartTLS()
	t.Cleanup(h.Close)
	return h
}

func (h *hook) ca() string {
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}))
}

// configuration is one of the two kinds with one webhook for config maps.
func (h *hook) configuration(kind, name, path, more string) string {
	return fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: %sWebhookConfiguration
metadata: {name: %s}
webhooks:
- name: %s.example.com
  clientConfig: {url: "%s%s", caBundle: %s}
  sideEffects: None
  admissionReviewVersions: [v1]
  rules: [{apiGroups: [""], apiVersions: [v1], operations: ["*"], resources: [configmaps, pods/binding, pods/exec]}]
%s`, kind, name, name, h.URL, path, h.ca(), more)
}

func start(t *testing.T) *admissiontest.Server {
	t.Helper()
	client := callout.New("test")
	t.Cleanup(client.Close)
	c := webhook.Config{Client: client, Metrics: webhook.NewMetrics(prometheus.NewRegistry())}
	return admissiontest.Start(t, webhook.NewMutating(c), webhook.NewValidating(c))
}

const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '1'}\n"

func allow(string, tree) tree { return tree{"allowed": true} }

func patch(ops string) tree {
	return tree{"allowed": true, "patchType": "JSONPatch", "patch": base64.StdEncoding.EncodeToString([]byte(ops))}
}

func problem(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestReview(t *testing.T) {
	h := serve(t, allow)
	s := start(t)
	s.Must(h.configuration("Validating", "v", "/x", ""))
	if _, _, err := s.Create(config); err != nil {
		t.Fatal(err)
	}
	if len(h.requests) != 1 {
		t.Fatalf("%d requests", len(h.requests))
	}
	r := h.requests[0]
	object, _ := r["object"].(tree)
	if got := admissiontest.At(object, "data", "a"); got != "1" || object["kind"] != "ConfigMap" || object["apiVersion"] != "v1" {
		t.Errorf("object %v", object)
	}
	if admissiontest.At(object, "metadata", "uid") == "" || admissiontest.At(object, "metadata", "managedFields") == nil {
		t.Errorf("metadata %v", object["metadata"])
	}
	if r["uid"] == "" {
		t.Error("no uid")
	}
	delete(r, "object")
	delete(r, "uid")
	want := tree{
		"kind": tree{"group": "", "version": "v1", "kind": "ConfigMap"}, "resource": tree{"group": "", "version": "v1", "resource": "configmaps"},
		"requestKind": tree{"group": "", "version": "v1", "kind": "ConfigMap"}, "requestResource": tree{"group": "", "version": "v1", "resource": "configmaps"},
		"name": "c", "namespace": "default", "operation": "CREATE", "dryRun": false, "oldObject": nil,
		"userInfo": tree{"username": "jane", "uid": "u1", "groups": []any{"devs", "system:authenticated"}, "extra": tree{"team": []any{"a", "b"}}},
		"options":  tree{"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if err := s.Delete("", "configmaps", "default", "c"); err != nil {
		t.Fatal(err)
	}
	r = h.requests[1]
	if r["operation"] != "DELETE" || r["object"] != nil || admissiontest.At(r, "oldObject", "data", "a") != "1" || admissiontest.At(r, "options", "kind") != "DeleteOptions" {
		t.Errorf("deletion %v", r)
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name, more, want string
		answer           tree
	}{
		{"allowed", "", "", tree{"allowed": true}},
		{"denied", "", `admission webhook "v.example.com" denied the request: no`, tree{"allowed": false, "status": tree{"message": "no", "code": 403}}},
		{"denied by reason", "", `admission webhook "v.example.com" denied the request: Because`, tree{"allowed": false, "status": tree{"reason": "Because"}}},
		{"denied silently", "", `admission webhook "v.example.com" denied the request without explanation`, tree{"allowed": false}},
		{"denied, ignoring", "  failurePolicy: Ignore", "denied the request", tree{"allowed": false}},
		{"garbage", "", `Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: couldn't get version/kind; json parse error: invalid character`, tree{"raw": "<html>"}},
		{"garbage, ignoring", "  failurePolicy: Ignore", "", tree{"raw": "<html>"}},
		{"no response", "", "received invalid webhook response: webhook response was absent", tree{"raw": "{}"}},
		{"wrong uid", "", `received invalid webhook response: expected response.uid="`, tree{"allowed": true, "uid": "x"}},
		{"wrong kind", "", "webhook response was absent", tree{"raw": `{"kind":"Pod"}`}},
		{"patch", "", "validating webhook may not return response.patch", patch(`[]`)},
		{"500", "", `failed calling webhook "v.example.com": failed to call webhook: an error on the server ("broken\n") has prevented the request from succeeding`, tree{"code": 500}},
		{"404", "", "the server could not find the requested resource", tree{"code": 404}},
		{"condition", "  matchConditions: [{name: c, expression: 'object.metadata.name == \"d\"'}]", "", tree{"allowed": false}},
		{"condition holds", "  matchConditions: [{name: c, expression: 'request.userInfo.username == \"jane\"'}]", "denied the request", tree{"allowed": false}},
		{"condition fails", "  matchConditions: [{name: c, expression: 'object.nope == 1'}]", `configmaps "c" is forbidden: expression 'object.nope == 1' resulted in error: no such key: nope`, tree{"allowed": true}},
		{"condition fails, ignoring", "  failurePolicy: Ignore\n  matchConditions: [{name: c, expression: 'object.nope == 1'}]", "", tree{"allowed": false}},
		{"object selector", "  objectSelector: {matchLabels: {a: b}}", "", tree{"allowed": false}},
		{"namespace selector", "  namespaceSelector: {matchLabels: {a: b}}", "", tree{"allowed": false}},
		{"huge", "", "the response is longer than", tree{"raw": strings.Repeat(" ", 40<<20)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := serve(t, func(string, tree) tree { return c.answer })
			s := start(t)
			s.Must(h.configuration("Validating", "v", "", c.more))
			_, _, err := s.Create(config)
			if got := problem(err); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWarningsAndDryRun(t *testing.T) {
	h := serve(t, func(string, tree) tree {
		return tree{"allowed": true, "warnings": []string{"careful"}, "auditAnnotations": tree{"k": "v"}}
	})
	s := start(t)
	s.Must(h.configuration("Validating", "v", "", ""))
	_, warnings, err := s.Create(config, &resourcev1.WriteOptions{DryRun: true})
	if diff := cmp.Diff([]string{"careful"}, warnings); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got := h.requests[0]["dryRun"]; got != true || admissiontest.At(h.requests[0], "options", "dryRun") == nil {
		t.Errorf("request %v", h.requests[0])
	}
}

func TestHangingWebhook(t *testing.T) {
	release := make(chan struct{})
	h := serve(t, func(string, tree) tree { <-release; return tree{"allowed": true} })
	defer close(release)
	s := start(t)
	s.Must(h.configuration("Validating", "v", "", "  timeoutSeconds: 1"))
	_, _, err := s.Create(config)
	want := fmt.Sprintf(`failed calling webhook "v.example.com": failed to call webhook: Post "%s?timeout=1s": context deadline exceeded`, h.URL)
	if !strings.Contains(problem(err), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestUnreachable(t *testing.T) {
	h := serve(t, allow)
	s := start(t)
	s.Must(h.configuration("Mutating", "m", "", ""))
	h.Close()
	if _, _, err := s.Create(config); !strings.Contains(problem(err), "connect: connection refused") {
		t.Errorf("got %v", err)
	}
}

func TestMutating(t *testing.T) {
	h := serve(t, func(path string, r tree) tree {
		switch path {
		case "/first":
			return patch(`[{"op": "add", "path": "/data/first", "value": "1"}]`)
		case "/second":
			n := len(admissiontest.At(r, "object", "data").(tree))
			return patch(fmt.Sprintf(`[{"op": "add", "path": "/data/seen", "value": "%d"}]`, n))
		}
		return tree{"allowed": true}
	})
	s := start(t)
	s.Must(h.configuration("Mutating", "b", "/second", ""), h.configuration("Mutating", "a", "/first", "  reinvocationPolicy: IfNeeded"))
	got, _, err := s.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree{"a": "1", "first": "1", "seen": "2"}, got["data"]); diff != "" {
		t.Error(diff)
	}
	// first, second, and first again as the object has changed since.
	if len(h.requests) != 3 {
		t.Errorf("%d requests", len(h.requests))
	}
}

func TestHostilePatches(t *testing.T) {
	for _, c := range []struct{ name, ops, want string }{
		{"uid", `[{"op":"replace","path":"/metadata/name","value":"other"}]`, ""},
		{"namespace", `[{"op":"replace","path":"/metadata/namespace","value":"kube-system"}]`, "the namespace of the provided object does not match"},
		{"kind", `[{"op":"replace","path":"/kind","value":"Secret"}]`, "the object was made a v1, Kind=Secret; it is a v1, Kind=ConfigMap"},
		{"no path", `[{"op":"remove","path":"/data/zz"}]`, "zz"},
		{"undecodable", `{`, "admission webhook"},
		{"everything", `[{"op":"remove","path":"/metadata"}]`, ""},
		{"wrong type", `[{"op":"add","path":"/data/x","value":[1]}]`, "data"},
		{"copy bomb", `[` + strings.Repeat(`{"op":"copy","from":"/data","path":"/data/x"},`, 60) + `{"op":"test","path":"","value":1}]`, "admission webhook"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := serve(t, func(string, tree) tree { return patch(c.ops) })
			s := start(t)
			s.Must(h.configuration("Mutating", "m", "", ""))
			_, _, err := s.Create(config)
			if got := problem(err); c.want != "" && !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestUpdateCannotBeRenamed(t *testing.T) {
	h := serve(t, func(_ string, r tree) tree {
		if r["operation"] == "UPDATE" {
			return patch(`[{"op":"replace","path":"/metadata/name","value":"other"}]`)
		}
		return tree{"allowed": true}
	})
	s := start(t)
	s.Must(h.configuration("Mutating", "m", "", ""), config)
	_, _, err := s.Update("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '2'}\n")
	if !strings.Contains(problem(err), `metadata.name: Invalid value: "other": field is immutable`) {
		t.Errorf("got %v", err)
	}
}

func TestEquivalentVersions(t *testing.T) {
	h := serve(t, allow)
	s := start(t)
	s.Must(strings.Replace(h.configuration("Validating", "v", "", ""), `apiGroups: [""], apiVersions: [v1], operations: ["*"], resources: [configmaps, pods/binding, pods/exec]`,
		`apiGroups: [autoscaling], apiVersions: [v1], operations: ["*"], resources: [horizontalpodautoscalers]`, 1))
	_, _, err := s.Create(`
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: h}
spec:
  maxReplicas: 3
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 40}}}]
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.requests) != 1 {
		t.Fatalf("%d requests", len(h.requests))
	}
	r := h.requests[0]
	if admissiontest.At(r, "object", "apiVersion") != "autoscaling/v1" || admissiontest.At(r, "object", "spec", "targetCPUUtilizationPercentage") != float64(40) {
		t.Errorf("object %v", r["object"])
	}
	if admissiontest.At(r, "resource", "version") != "v1" || admissiontest.At(r, "requestResource", "version") != "v2" || admissiontest.At(r, "kind", "version") != "v1" {
		t.Errorf("request %v", r)
	}
}

func TestSubresource(t *testing.T) {
	h := serve(t, func(_ string, r tree) tree {
		return tree{"allowed": false, "status": tree{"message": fmt.Sprint(admissiontest.At(r, "object", "target", "name"))}}
	})
	s := start(t)
	s.Must("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: a}]}\n", h.configuration("Validating", "v", "", ""))
	err := s.Post("", "pods", "default", "p", "binding", `{"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"},"target":{"kind":"Node","name":"n1"}}`)
	if !strings.Contains(problem(err), "denied the request: n1") {
		t.Errorf("got %v", err)
	}
	if r := h.requests[0]; r["subResource"] != "binding" || admissiontest.At(r, "kind", "kind") != "Binding" || admissiontest.At(r, "resource", "resource") != "pods" {
		t.Errorf("request %v", r)
	}
}

func TestConfigurationsAreOutOfReach(t *testing.T) {
	h := serve(t, func(string, tree) tree { return tree{"allowed": false} })
	s := start(t)
	s.Must(strings.Replace(h.configuration("Validating", "v", "", ""), `apiGroups: [""], apiVersions: [v1], operations: ["*"], resources: [configmaps, pods/binding, pods/exec]`,
		`apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*/*"]`, 1))
	if _, _, err := s.Create(config); err == nil {
		t.Error("the webhook is not asked")
	}
	if err := s.Delete("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "v"); err != nil {
		t.Error(err)
	}
}

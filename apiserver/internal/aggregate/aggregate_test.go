package aggregate_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/keelson/keelson/apiserver/internal/aggregate"
	"github.com/keelson/keelson/apiserver/internal/pki"
	"github.com/keelson/keelson/apiserver/internal/rest"
	"github.com/keelson/keelson/apiserver/internal/rest/apidocs"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/openapi"
)

// everybody is the admin, but who says who he is.
type everybody struct{}

func (everybody) AuthenticateRequest(r *http.Request) (*identity.User, error) {
	name := r.Header.Get("X-Test-User")
	if name == "" {
		name = "admin"
	}
	return &identity.User{Name: name, UID: "uid-" + name, Groups: []string{"team", identity.GroupAuthenticated},
		Extra: map[string][]string{"example.com/Role": {"x", "y"}}}, nil
}

func (everybody) Authorize(_ context.Context, a pipeline.Attributes) (pipeline.Decision, string, error) {
	if a.User.Name == "nobody" {
		return pipeline.NoOpinion, "", nil
	}
	return pipeline.Allow, "", nil
}

// cluster is a whole API server over a memory store, and a server that extends it.
type cluster struct {
	t       *testing.T
	url     string
	backend *backend
}

// backend serves metrics.k8s.io/v1beta1.
type backend struct {
	*httptest.Server
	ca       *pki.Authority
	broken   atomic.Bool
	mu       sync.Mutex
	received []*http.Request
	hang     chan struct{}
}

const (
	resourceList = `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"metrics.k8s.io/v1beta1","resources":[` +
		`{"name":"nodes","singularName":"node","namespaced":false,"kind":"NodeMetrics","verbs":["get","list"]},` +
		`{"name":"pods","singularName":"pod","namespaced":true,"kind":"PodMetrics","verbs":["get","list"],"shortNames":["pm"]},` +
		`{"name":"pods/status","singularName":"","namespaced":true,"kind":"PodMetrics","verbs":["get"]}]}`
	nodeList  = `{"kind":"NodeMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[{"metadata":{"name":"n1"},"timestamp":"2026-01-01T00:00:00Z","window":"10s","usage":{"cpu":"250m","memory":"1Gi"}}]}`
	openapiV2 = `{"swagger":"2.0","info":{"title":"m","version":"1"},"paths":{"/apis/metrics.k8s.io/v1beta1/nodes":{"get":{"operationId":"listNodeMetrics","responses":{"200":{"description":"OK","schema":{"$ref":"#/definitions/io.k8s.metrics.NodeMetricsList"}}}}},"/apis/other/v1/x":{"get":{"responses":{"200":{"description":"OK"}}}}},` +
		`"definitions":{"io.k8s.metrics.NodeMetricsList":{"type":"object","properties":{"metadata":{"$ref":"#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"}}},"io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta":{"type":"object","description":"another one"},"unused":{"type":"object"}}}`
)

func newBackend(t *testing.T, ca *pki.Authority) *backend {
	t.Helper()
	b := &backend{ca: ca, hang: make(chan struct{})}
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(b.serve))
	pair, err := ca.CA.Issue(pki.Subject{CommonName: "metrics", DNSNames: []string{"metrics.kube-system.svc"}, Server: true, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	front := x509.NewCertPool()
	front.AppendCertsFromPEM(ca.FrontProxyCA())
	b.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: front}
	b.StartTLS()
	t.Cleanup(func() {
		close(b.hang)
		b.CloseClientConnections()
		b.Close()
	})
	return b
}

func (b *backend) serve(w http.ResponseWriter, r *http.Request) {
	if b.broken.Load() {
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	}
	if r.TLS.PeerCertificates[0].Subject.CommonName != "front-proxy-client" {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	const root = "/apis/metrics.k8s.io/v1beta1"
	if strings.HasPrefix(r.URL.Path, root+"/") {
		b.mu.Lock()
		b.received = append(b.received, r)
		b.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case root:
		_, _ = io.WriteString(w, resourceList)
	case root + "/nodes":
		if r.URL.Query().Get("watch") != "" {
			_, _ = io.WriteString(w, `{"type":"ADDED"}`+"\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, nodeList)
	case root + "/hang":
		select {
		case <-b.hang:
		case <-r.Context().Done():
		}
	case root + "/upgrade":
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	case "/openapi/v2":
		_, _ = io.WriteString(w, openapiV2)
	case "/openapi/v3":
		_, _ = io.WriteString(w, `{"paths":{"apis/metrics.k8s.io/v1beta1":{"serverRelativeURL":"/openapi/v3/apis/metrics.k8s.io/v1beta1?hash=ABC"}}}`)
	case "/openapi/v3" + root:
		_, _ = io.WriteString(w, `{"openapi":"3.0.0","paths":{}}`)
	default:
		http.NotFound(w, r)
	}
}

func start(t *testing.T) *cluster {
	t.Helper()
	log := zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	ca, err := pki.Open(pki.Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, backend: newBackend(t, ca)}
	p, err := pipeline.New(pipeline.Config{Registry: schema.Builtin(), Store: memory.New(), Authorizer: everybody{}, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := aggregate.New(aggregate.Config{Registry: schema.Builtin(), Certificate: ca.FrontProxy, Logger: log, Authentication: aggregate.Authentication{
		ClientCA: ca.CA.Bundle, FrontProxyCA: ca.FrontProxyCA(), FrontProxyName: pki.FrontProxyName}})
	a.SetDial(func(ctx context.Context, _, _ string, port int32) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", c.backend.Listener.Addr().String())
	})
	s, err := rest.New(rest.Config{Registry: schema.Builtin(), Pipeline: p, Authenticator: everybody{}, Authorizer: everybody{}, Logger: log, Extensions: a,
		Documents: a.Documents(apidocs.New(openapi.New(schema.Builtin(), "v1")).Paths())})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx, p) }()
	srv := httptest.NewServer(s)
	c.url = srv.URL
	t.Cleanup(func() {
		closing, end := context.WithTimeout(context.Background(), 10*time.Second)
		defer end()
		if err := s.Close(closing); err != nil {
			t.Errorf("close: %v", err)
		}
		srv.Close()
		cancel()
		<-done
		p.Close()
	})
	return c
}

// do makes a request; header holds pairs of names and values.
func (c *cluster) do(method, path, body string, header ...string) (int, string, http.Header) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func (c *cluster) create(path, body string) {
	c.t.Helper()
	if code, answer, _ := c.do("POST", path, body, "Content-Type", "application/json"); code != 201 {
		c.t.Fatalf("%s: %d %s", path, code, answer)
	}
}

const apiServices = "/apis/apiregistration.k8s.io/v1/apiservices"

// await waits for a condition of an APIService.
func (c *cluster) await(name, reason string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", c.url+apiServices+"?watch=1&fieldSelector=metadata.name%3D"+name, http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	var last string
	for d := json.NewDecoder(resp.Body); ; {
		var e struct {
			Object struct {
				Status struct {
					Conditions []struct{ Status, Reason, Message string }
				}
			}
		}
		if err := d.Decode(&e); err != nil {
			c.t.Fatalf("%s is not %s: %v; last %s", name, reason, err, last)
		}
		for _, x := range e.Object.Status.Conditions {
			if last = x.Reason + ": " + x.Message; x.Reason == reason {
				return x.Message
			}
		}
	}
}

func (c *cluster) register() {
	c.t.Helper()
	b, err := json.Marshal(c.backend.ca.CA.Bundle)
	if err != nil {
		c.t.Fatal(err)
	}
	c.create(apiServices, `{"kind":"APIService","apiVersion":"apiregistration.k8s.io/v1","metadata":{"name":"v1beta1.metrics.k8s.io"},"spec":{"group":"metrics.k8s.io","version":"v1beta1",`+
		`"groupPriorityMinimum":100,"versionPriority":100,"service":{"namespace":"kube-system","name":"metrics"},"caBundle":`+string(b)+`}}`)
}

const slice = `{"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":"%s","namespace":"kube-system","labels":{"kubernetes.io/service-name":"metrics"}},` +
	`"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":%t}}],"ports":[{"name":"https","port":4443}]}`

func (c *cluster) serve() {
	c.t.Helper()
	c.create("/api/v1/namespaces/kube-system/services", `{"kind":"Service","apiVersion":"v1","metadata":{"name":"metrics"},"spec":{"ports":[{"name":"https","port":443}]}}`)
	c.create("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", fmt.Sprintf(slice, "metrics-1", true))
}

// What stands in the way of a server is said in Kubernetes' words, and noticed as soon as it changes.
func TestAvailability(t *testing.T) {
	c := start(t)
	c.backend.broken.Store(true)
	c.register()
	for _, step := range []struct{ reason, message, path, body string }{
		{"ServiceNotFound", `service/metrics in "kube-system" is not present`, "/api/v1/namespaces/kube-system/services",
			`{"kind":"Service","apiVersion":"v1","metadata":{"name":"metrics"},"spec":{"ports":[{"name":"https","port":443}]}}`},
		{"EndpointsNotFound", `cannot find endpointslices for service/metrics in "kube-system"`,
			"/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", fmt.Sprintf(slice, "metrics-1", false)},
		{"MissingEndpoints", `endpointslices for service/metrics in "kube-system" have no addresses with port name "https"`,
			"/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", fmt.Sprintf(slice, "metrics-2", true)},
		{"FailedDiscoveryCheck", "failing or missing response from https://metrics.kube-system.svc:443/apis/metrics.k8s.io/v1beta1: " +
			"bad status from https://metrics.kube-system.svc:443/apis/metrics.k8s.io/v1beta1: 500", "", ""},
		{"Passed", "all checks passed", "", ""},
	} {
		if diff := cmp.Diff(step.message, c.await("v1beta1.metrics.k8s.io", step.reason)); diff != "" {
			t.Errorf("%s: %s", step.reason, diff)
		}
		if step.path != "" {
			c.create(step.path, step.body)
		} else {
			if code, body, _ := c.do("GET", "/apis/metrics.k8s.io/v1beta1/nodes", ""); step.reason != "Passed" && (code != 503 || body != "service unavailable\n") {
				t.Errorf("%d %s", code, body)
			}
			c.backend.broken.Store(false)
		}
	}
	// Local ones stand beside it.
	if got := c.await("v1.apps", "Local"); got != "Local APIServices are always available" {
		t.Error(got)
	}
	_, table, _ := c.do("GET", apiServices, "", "Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	for _, want := range []string{`"cells":["v1beta1.metrics.k8s.io","kube-system/metrics","True",`, `"cells":["v1.","Local","True",`} {
		if !strings.Contains(table, want) {
			t.Errorf("no %s in the table", want)
		}
	}
}

func TestProxy(t *testing.T) {
	c := start(t)
	c.serve()
	c.register()
	c.await("v1beta1.metrics.k8s.io", "Passed")
	code, body, header := c.do("GET", "/apis/metrics.k8s.io/v1beta1/nodes?limit=5", "", "Authorization", "Bearer secret", "X-Remote-User", "forged", "X-Remote-Group",
		"system:masters", "X-Remote-Extra-Forged", "x", "Impersonate-Forged", "x", "X-Test-User", "jane", "Audit-ID", "id-1")
	if code != 200 || body != nodeList || header.Get("Audit-Id") != "id-1" || header.Get("X-Kubernetes-Pf-Flowschema-Uid") != "" {
		t.Errorf("%d %s %v", code, body, header)
	}
	c.backend.mu.Lock()
	got := c.backend.received[len(c.backend.received)-1]
	c.backend.mu.Unlock()
	for key, want := range map[string][]string{"X-Remote-User": {"jane"}, "X-Remote-Uid": {"uid-jane"}, "X-Remote-Group": {"team", identity.GroupAuthenticated},
		"X-Remote-Extra-Example.com%2frole": {"x", "y"}, "X-Remote-Extra-Forged": nil, "Authorization": nil, "Impersonate-Forged": nil, "Audit-Id": {"id-1"}} {
		if diff := cmp.Diff(want, got.Header[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if got.URL.RawQuery != "limit=5" || got.Host != "metrics.kube-system.svc:443" {
		t.Errorf("%s %s", got.Host, got.URL)
	}
	// Who may not is not sent on.
	if code, _, _ := c.do("GET", "/apis/metrics.k8s.io/v1beta1/nodes", "", "X-Test-User", "nobody"); code != 403 {
		t.Errorf("nobody: %d", code)
	}
	if code, body, _ := c.do("GET", "/apis/metrics.k8s.io/v1beta1/none", ""); code != 404 || !strings.HasPrefix(body, "404 page") {
		t.Errorf("the other server's refusals: %d %s", code, body)
	}
	c.watch()
	c.upgrade()
}

// watch sees events come through as they are sent.
func (c *cluster) watch() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", c.url+"/apis/metrics.k8s.io/v1beta1/nodes?watch=true", http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "{\"type\":\"ADDED\"}\n" {
		c.t.Errorf("watch: %q %v", line, err)
	}
}

func (c *cluster) upgrade() {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /apis/metrics.k8s.io/v1beta1/upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 {
		c.t.Fatalf("%v %v", resp, err)
	}
	fmt.Fprintf(conn, "hello\n")
	if line, err := br.ReadString('\n'); line != "echo hello\n" {
		c.t.Errorf("upgrade: %q %v", line, err)
	}
}

func TestDiscovery(t *testing.T) {
	c := start(t)
	c.serve()
	c.register()
	c.await("v1beta1.metrics.k8s.io", "Passed")
	const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	c.awaitBody("/apis", `"resource":"nodes","responseKind":{"group":"metrics.k8s.io","version":"v1beta1","kind":"NodeMetrics"},"scope":"Cluster","singularResource":"node","verbs":["get","list"]`, accept)
	c.awaitBody("/apis", `"subresource":"status"`, accept)
	c.awaitBody("/apis", `{"name":"metrics.k8s.io","versions":[{"groupVersion":"metrics.k8s.io/v1beta1","version":"v1beta1"}]`, "application/json")
	c.awaitBody("/apis/metrics.k8s.io", `"preferredVersion":{"groupVersion":"metrics.k8s.io/v1beta1","version":"v1beta1"}`, "application/json")
	c.awaitBody("/apis/metrics.k8s.io/v1beta1", `"name":"pods/status"`, "application/json")
	c.awaitBody("/openapi/v3", `"apis/metrics.k8s.io/v1beta1":{"serverRelativeURL":"/openapi/v3/apis/metrics.k8s.io/v1beta1?hash=ABC"}`, "application/json")
	c.awaitBody("/openapi/v3/apis/metrics.k8s.io/v1beta1", `{"openapi":"3.0.0","paths":{}}`, "application/json")
	c.awaitBody("/openapi/v2", `"/apis/metrics.k8s.io/v1beta1/nodes"`, "application/json")
	_, doc, _ := c.do("GET", "/openapi/v2", "", "Accept", "application/json")
	var v2 struct {
		Paths       map[string]any
		Definitions map[string]any
	}
	if err := json.Unmarshal([]byte(doc), &v2); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"io.k8s.metrics.NodeMetricsList", "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta_v2", "io.k8s.api.core.v1.Pod"} {
		if v2.Definitions[name] == nil {
			t.Errorf("no definition %s", name)
		}
	}
	if v2.Definitions["unused"] != nil || v2.Paths["/apis/other/v1/x"] != nil {
		t.Error("there is more than the version needs")
	}
	// A server that is away is still in discovery, marked.
	c.backend.broken.Store(true)
	code, _, _ := c.do("PATCH", apiServices+"/v1beta1.metrics.k8s.io", `{"spec":{"versionPriority":99}}`, "Content-Type", "application/merge-patch+json")
	if code != 200 {
		t.Fatal(code)
	}
	c.await("v1beta1.metrics.k8s.io", "FailedDiscoveryCheck")
	c.awaitBody("/apis", `"freshness":"Stale"`, accept)
	if _, body, _ := c.do("GET", "/apis", "", "Accept", accept); !strings.Contains(body, `"kind":"NodeMetrics"`) {
		t.Error("what it served is forgotten")
	}
}

// awaitBody asks until the answer has something in it.
func (c *cluster) awaitBody(path, want, accept string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	for {
		_, body, _ := c.do("GET", path, "", "Accept", accept)
		if strings.Contains(body, want) {
			return
		}
		select {
		case <-ctx.Done():
			c.t.Errorf("%s has no %s: %.2000s", path, want, body)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Neither a server that hangs nor one that claims what is built in is in the way of the built-in kinds.
func TestBrokenServers(t *testing.T) {
	c := start(t)
	c.serve()
	c.register()
	c.await("v1beta1.metrics.k8s.io", "Passed")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 700 { // more than there are seats
		wg.Go(func() {
			r, err := http.NewRequestWithContext(ctx, "GET", c.url+"/apis/metrics.k8s.io/v1beta1/hang", http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
				resp.Body.Close()
			}
		})
	}
	for {
		c.backend.mu.Lock()
		n := len(c.backend.received)
		c.backend.mu.Unlock()
		if n >= 400 {
			break
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the requests do not arrive")
		case <-time.After(5 * time.Millisecond):
		}
	}
	for range 50 {
		if code, body, _ := c.do("GET", "/api/v1/namespaces/default", ""); code != 200 {
			t.Fatalf("built-in kinds: %d %s", code, body)
		}
	}
	if code, body, _ := c.do("GET", "/apis/metrics.k8s.io/v1beta1/nodes", ""); code != 429 {
		t.Errorf("%d %s", code, body)
	}
	cancel()
	wg.Wait()
	// Built-in versions stay this server's.
	code, body, _ := c.do("PATCH", apiServices+"/v1.apps", `{"spec":{"service":{"namespace":"kube-system","name":"metrics"},"insecureSkipTLSVerify":true}}`,
		"Content-Type", "application/merge-patch+json")
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	if code, body, _ := c.do("GET", "/apis/apps/v1/deployments", ""); code != 200 || !strings.Contains(body, "DeploymentList") {
		t.Errorf("deployments: %d %s", code, body)
	}
	c.awaitBody(apiServices+"/v1.apps", `"spec":{"group":"apps","version":"v1","groupPriorityMinimum":17800,"versionPriority":15}`, "application/json")
}

func TestValidation(t *testing.T) {
	c := start(t)
	for name, tt := range map[string]struct{ spec, want string }{
		"v1.x": {`"group":"y","version":"v1","groupPriorityMinimum":1,"versionPriority":1`, `must be ` + "`" + `spec.version+\".\"+spec.group` + "`" + `: \"v1.y\"`},
		"v1.g": {`"group":"g","version":"v1","groupPriorityMinimum":30000,"versionPriority":0,"service":{"name":"x"}`,
			`spec.groupPriorityMinimum: Invalid value: 30000: must be positive and less than 20000, spec.versionPriority: Invalid value: 0: must be positive and less than 1000, spec.service.namespace: Required value`},
	} {
		code, body, _ := c.do("POST", apiServices, `{"kind":"APIService","apiVersion":"apiregistration.k8s.io/v1","metadata":{"name":"`+name+`"},"spec":{`+tt.spec+`}}`, "Content-Type", "application/json")
		if code != 422 || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
}

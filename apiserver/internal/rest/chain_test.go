package rest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/fairness"
	"github.com/keelson/keelson/apiserver/internal/rest/health"
	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
)

// door is a REST door with test documents, behind which nothing is started.
func door(t *testing.T, cfg Config) *Server {
	t.Helper()
	p, err := pipeline.New(pipeline.Config{Registry: schema.Builtin(), Store: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Registry, cfg.Pipeline, cfg.Authenticator, cfg.Authorizer = schema.Builtin(), p, byHeader{}, adminOnly{}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(s *Server, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, http.NoBody)
	r.Header.Set("X-User", "admin")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestPanic(t *testing.T) {
	core, logs := observer.New(zapcore.ErrorLevel)
	s := door(t, Config{Logger: zap.New(core), Documents: map[string]http.Handler{
		"/panic": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("asked for") }),
	}})
	w := ask(s, "/panic")
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"reason":"InternalError"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if logs.FilterMessage("request handler panicked").Len() != 1 {
		t.Errorf("log: %v", logs.All())
	}
}

// narrow serves the admin one request at a time.
func narrow() *fairness.Limiter {
	l := fairness.New(fairness.Options{Seats: 1})
	l.Configure([]*flowcontrolv1.FlowSchema{{Metadata: &metav1.ObjectMeta{Name: "admin", Uid: "schema-uid"}, Spec: &flowcontrolv1.FlowSchemaSpec{
		MatchingPrecedence: 10, PriorityLevelConfiguration: &flowcontrolv1.PriorityLevelConfigurationReference{Name: "narrow"},
		Rules: []*flowcontrolv1.PolicyRulesWithSubjects{{
			Subjects:         []*flowcontrolv1.Subject{{Kind: "User", User: &flowcontrolv1.UserSubject{Name: "admin"}}},
			NonResourceRules: []*flowcontrolv1.NonResourcePolicyRule{{Verbs: []string{"*"}, NonResourceURLs: []string{"/slow", "/version"}}},
		}},
	}}}, []*flowcontrolv1.PriorityLevelConfiguration{{Metadata: &metav1.ObjectMeta{Name: "narrow", Uid: "level-uid"}, Spec: &flowcontrolv1.PriorityLevelConfigurationSpec{
		Type: "Limited", Limited: &flowcontrolv1.LimitedPriorityLevelConfiguration{NominalConcurrencyShares: proto.Int32(1), BorrowingLimitPercent: proto.Int32(0),
			LimitResponse: &flowcontrolv1.LimitResponse{Type: "Reject"}},
	}}})
	return l
}

func TestTooManyRequests(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := door(t, Config{Limiter: narrow(), Documents: map[string]http.Handler{
		"/slow": http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(entered)
			<-leave
		}),
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		ask(s, "/slow")
	}()
	<-entered
	if w := ask(s, "/version"); w.Code != 429 || w.Header().Get("Retry-After") != "1" ||
		w.Header().Get("X-Kubernetes-PF-FlowSchema-UID") != "schema-uid" || w.Header().Get("X-Kubernetes-PF-PriorityLevel-UID") != "level-uid" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := ask(s, "/healthz"); w.Code != 200 {
		t.Errorf("healthz: %d", w.Code)
	}
	close(leave)
	<-done
	if w := ask(s, "/version"); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}

// Close waits for requests, ends what lasts, and lets nothing new in.
func TestClose(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := door(t, Config{Documents: map[string]http.Handler{
		"/slow": http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(entered)
			<-leave
		}),
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		ask(s, "/slow")
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err == nil {
		t.Error("closed although a request is being served")
	}
	if w := ask(s, "/version"); w.Code != 503 {
		t.Errorf("while closing: %d", w.Code)
	}
	close(leave)
	<-done
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHealth(t *testing.T) {
	var failing bool
	check := health.Check{Name: "db", Run: func(context.Context) error {
		if failing {
			return context.DeadlineExceeded
		}
		return nil
	}}
	ready := health.Check{Name: "late", ReadyOnly: true, Run: func(context.Context) error { return context.Canceled }}
	s := door(t, Config{Health: health.New(nil, check, ready)})
	for _, tt := range []struct {
		failing    bool
		path, body string
		code       int
	}{
		{false, "/livez", "ok", 200},
		{false, "/livez?verbose", "[+]ping ok\n[+]db ok\nlivez check passed\n", 200},
		{false, "/readyz", "[+]ping ok\n[+]db ok\n[-]late failed: reason withheld\nreadyz check failed\n", 500},
		{false, "/readyz?exclude=late", "ok", 200},
		{true, "/livez", "[+]ping ok\n[-]db failed: reason withheld\nlivez check failed\n", 500},
		{true, "/livez/ping", "ok", 200},
		{true, "/livez?exclude=db&exclude=x&verbose", "[+]ping ok\n[+]db excluded: ok\nwarn: some health checks cannot be excluded: no matches for \"x\"\nlivez check passed\n", 200},
	} {
		failing = tt.failing
		if w := ask(s, tt.path); w.Code != tt.code || w.Body.String() != tt.body {
			t.Errorf("%s: %d %q", tt.path, w.Code, w.Body)
		}
	}
	if w := ask(s, "/livez/nothing"); w.Code != 404 {
		t.Errorf("unknown check: %d", w.Code)
	}
}

func TestDiscovery(t *testing.T) {
	s := door(t, Config{Address: "10.0.0.1:6443"})
	get := func(path, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, http.NoBody)
		r.Header.Set("X-User", "admin")
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
	w := get("/apis", aggregated)
	if ct := w.Header().Get("Content-Type"); ct != "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" {
		t.Errorf("content type %q", ct)
	}
	for _, want := range []string{`"apiVersion":"apidiscovery.k8s.io/v2"`, `"resource":"deployments"`, `"shortNames":["deploy"]`, `"subresource":"scale"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in /apis", want)
		}
	}
	r := httptest.NewRequest("GET", "/apis", http.NoBody)
	r.Header.Set("X-User", "admin")
	r.Header.Set("Accept", aggregated)
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	again := httptest.NewRecorder()
	s.ServeHTTP(again, r)
	if again.Code != 304 || again.Body.Len() > 0 {
		t.Errorf("with ETag: %d", again.Code)
	}
	for path, want := range map[string]string{
		"/api":          `"serverAddress":"10.0.0.1:6443"`,
		"/apis":         `"kind":"APIGroupList"`,
		"/apis/apps":    `"preferredVersion":{"groupVersion":"apps/v1","version":"v1"}`,
		"/apis/apps/v1": `"name":"deployments/scale"`,
		"/api/v1":       `"name":"pods/exec"`,
		// kubectl drain evicts only where it finds the group.
		"/apis/policy/v1": `"groupVersion":"policy/v1"`,
	} {
		if w := get(path, "application/json"); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, no %s", path, w.Code, want)
		}
	}
	body := get("/api/v1", "application/json").Body.String()
	for _, sub := range []string{"pods/proxy", "pods/ephemeralcontainers", "pods/resize", "services/proxy", "nodes/proxy"} {
		if !strings.Contains(body, `"`+sub+`"`) {
			t.Errorf("%s is not named", sub)
		}
	}
}

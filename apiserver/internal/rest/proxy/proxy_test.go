package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

// cluster has one pod, some services and a node; its tunnel leads to a backend of the test.
type cluster struct {
	backend string // host:port; "" refuses connections
	mu      sync.Mutex
	opened  []string
}

func ptr[T any](v T) *T { return &v }

func (c *cluster) Pod(_ context.Context, ns, name string) (*corev1.Pod, error) {
	if name != "p" {
		return nil, apierrors.NewNotFound("", "pods", name)
	}
	return &corev1.Pod{Metadata: &metav1.ObjectMeta{Name: name, Namespace: ns, Uid: "u"}, Spec: &corev1.PodSpec{NodeName: "n1",
		Containers: []*corev1.Container{{Name: "c", Ports: []*corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}}},
		Status: &corev1.PodStatus{PodIP: "10.244.0.7"}}, nil
}

func (c *cluster) Service(_ context.Context, ns, name string) (*corev1.Service, error) {
	if name == "none" {
		return nil, apierrors.NewNotFound("", "services", name)
	}
	return &corev1.Service{Metadata: &metav1.ObjectMeta{Name: name, Namespace: ns}, Spec: &corev1.ServiceSpec{
		Ports: []*corev1.ServicePort{{Name: "http", Port: 80}, {Name: "", Port: 81}}}}, nil
}

func (c *cluster) Node(_ context.Context, name string) (*corev1.Node, error) {
	return &corev1.Node{Metadata: &metav1.ObjectMeta{Name: name}}, nil
}

func (c *cluster) Slices(_ context.Context, _, service string) ([]*discoveryv1.EndpointSlice, error) {
	s := &discoveryv1.EndpointSlice{Ports: []*discoveryv1.EndpointPort{{Name: ptr("http"), Port: ptr(int32(8080))}}}
	switch service {
	case "web":
		s.Endpoints = []*discoveryv1.Endpoint{
			{Addresses: []string{"10.244.0.8"}, Conditions: &discoveryv1.EndpointConditions{Ready: ptr(false)}},
			{Addresses: []string{"10.244.0.7"}, NodeName: ptr("n1"), TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "p", Uid: "u"}}}
	case "outside":
		s.Endpoints = []*discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}}
	case "local":
		s.Endpoints = []*discoveryv1.Endpoint{{Addresses: []string{"127.0.0.1"}}}
	}
	return []*discoveryv1.EndpointSlice{s}, nil
}

func (c *cluster) open(ctx context.Context, node string, op *tunnelv1.ConnectResponse) (podstream.Session, error) {
	what := "node"
	if d := op.GetDial(); d != nil {
		what = fmt.Sprintf("%s:%d", d.GetContainer().GetPodName(), d.GetPort())
	}
	c.mu.Lock()
	c.opened = append(c.opened, node+" "+what)
	c.mu.Unlock()
	if node != "n1" {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("node %q is not connected to the API server", node))
	}
	s := &session{frames: make(chan *tunnelv1.SessionRequest, 16), closed: make(chan struct{})}
	s.frames <- &tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Accept{Accept: &tunnelv1.Accept{}}}
	if c.backend == "" {
		s.frames <- &tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Exit{Exit: &tunnelv1.Exit{Error: "connection refused"}}}
		return s, nil
	}
	conn, err := net.Dial("tcp", c.backend)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	s.frames <- &tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Data{Data: &tunnelv1.Data{}}}
	go func() {
		buf := make([]byte, 1000)
		for {
			n, err := conn.Read(buf)
			if n > 0 {
				s.put(&tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Data{Data: &tunnelv1.Data{Payload: append([]byte(nil), buf[:n]...)}}})
			}
			if err != nil {
				s.put(&tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Exit{Exit: &tunnelv1.Exit{}}})
				return
			}
		}
	}()
	context.AfterFunc(ctx, s.Close)
	return s, nil
}

type session struct {
	conn   net.Conn
	frames chan *tunnelv1.SessionRequest
	closed chan struct{}
	once   sync.Once
}

func (s *session) put(f *tunnelv1.SessionRequest) {
	select {
	case s.frames <- f:
	case <-s.closed:
	}
}

func (s *session) Recv() (*tunnelv1.SessionRequest, error) {
	select {
	case f := <-s.frames:
		return f, nil
	case <-s.closed:
		return nil, errors.New("closed")
	}
}

func (s *session) Send(f *tunnelv1.SessionResponse) error {
	_, err := s.conn.Write(f.GetData().GetPayload())
	return err
}

func (s *session) Close() {
	s.once.Do(func() {
		close(s.closed)
		if s.conn != nil {
			_ = s.conn.Close()
		}
	})
}

// serve starts a server that has nothing but the proxy.
func serve(t *testing.T, c *cluster) string {
	t.Helper()
	h := New(Config{Objects: c, Open: c.open, Dial: func(context.Context, string, string) (net.Conn, error) { return net.Dial("tcp", c.backend) }})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		plural, ns, id := parts[2], "", parts[3]
		if plural == "namespaces" {
			plural, ns, id = parts[4], parts[3], parts[5]
		}
		if err := h.Serve(w, r, plural, ns, id); err != nil {
			respond.Error(w, r, err)
		}
	}))
	t.Cleanup(front.Close)
	return front.URL
}

const page = `<html><head><link href="/style.css"></head><body background="x.png"><a href="/a/">a</a><a href='b'>b</a><a href="https://elsewhere.example/c">c</a></body></html>`

func backend(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %q uri=%s auth=%q", r.Method, r.URL.RequestURI(), body, r.Header.Get("X-Forwarded-Uri"), r.Header.Get("Authorization"))
	})
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/new/?x=1", http.StatusFound) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
	})
	mux.HandleFunc("/upgrade", func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestProxy(t *testing.T) {
	const pods, services = "/api/v1/namespaces/ns/pods/", "/api/v1/namespaces/ns/services/"
	tests := []struct {
		name, method, path, body string
		code                     int
		want                     string // what the answer has
		header                   string // "Location: ..."
		opened                   string
	}{
		{"pod", "GET", pods + "p/proxy/a%2Fb/c?x=%20", "", 200, `GET /a%2Fb/c?x=%20 "" uri=` + pods + `p/proxy/a%2Fb/c auth=""`, "", "n1 p:8080"},
		{"pod with port", "POST", pods + "p:9090/proxy/", "body", 200, `POST / "body"`, "", "n1 p:9090"},
		{"named port", "GET", pods + "http:p:web/proxy/", "", 200, `GET / ""`, "", "n1 p:8080"},
		{"methods", "DELETE", pods + "p/proxy/x", "", 200, `DELETE /x`, "", "n1 p:8080"},
		{"no slash", "GET", pods + "p/proxy?x=1", "", 301, "", "Location: " + pods + "p/proxy/?x=1", ""},
		{"no slash, post", "POST", pods + "p/proxy", "", 200, "POST / ", "", "n1 p:8080"},
		{"no pod", "GET", pods + "q/proxy/", "", 404, `pods \"q\" not found`, "", ""},
		{"bad name", "GET", pods + "ftp:p:1/proxy/", "", 400, `invalid pod request \"ftp:p:1\"`, "", ""},
		{"links", "GET", pods + "p/proxy/page", "", 200, `<link href="` + pods + `p/proxy/style.css"></head><body background="x.png"><a href="` + pods +
			`p/proxy/a/">a</a><a href='b'>b</a><a href="https://elsewhere.example/c">c</a>`, "", "n1 p:8080"},
		{"redirect", "GET", pods + "p/proxy/moved", "", 302, "", "Location: " + pods + "p/proxy/new/?x=1", "n1 p:8080"},
		{"redirect away", "GET", pods + "p/proxy/away", "", 302, "", "Location: https://elsewhere.example/", "n1 p:8080"},
		{"service by port", "GET", services + "web:80/proxy/x", "", 200, "GET /x ", "", "n1 p:8080"},
		{"service by name", "GET", services + "web:http/proxy/x", "", 200, "GET /x ", "", "n1 p:8080"},
		{"service without such a port", "GET", services + "web:82/proxy/", "", 503, `no service port 82 found for service \"web\"`, "", ""},
		{"service whose unnamed port has no endpoints", "GET", services + "web/proxy/", "", 503, `no endpoints available for service \"web\"`, "", ""},
		{"no service", "GET", services + "none/proxy/", "", 404, `services \"none\" not found`, "", ""},
		{"endpoint outside", "GET", services + "outside:http/proxy/x", "", 200, "GET /x ", "", ""},
		{"endpoint that is the server", "GET", services + "local:http/proxy/x", "", 400, "address not allowed", "", ""},
		{"kubelet", "GET", "/api/v1/nodes/n1/proxy/healthz", "", 200, "GET /healthz ", "", "n1 node"},
		{"kubelet's port", "GET", "/api/v1/nodes/https:n1:10250/proxy/pods", "", 200, "GET /pods ", "", "n1 node"},
		{"port of the node", "GET", "/api/v1/nodes/n1:9100/proxy/metrics", "", 200, "GET /metrics ", "", "n1 :9100"},
		{"node away", "GET", "/api/v1/nodes/n2/proxy/x", "", 503, `error trying to reach service: node \"n2\" is not connected to the API server`, "", "n2 node"},
	}
	host := backend(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &cluster{backend: host}
			r, err := http.NewRequest(tt.method, serve(t, c)+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer secret")
			resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.code || !strings.Contains(string(body), tt.want) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if key, want, ok := strings.Cut(tt.header, ": "); ok && resp.Header.Get(key) != want {
				t.Errorf("%s: %s, want %s", key, resp.Header.Get(key), want)
			}
			if diff := cmp.Diff(tt.opened, strings.Join(c.opened, ",")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProxyRefused(t *testing.T) {
	resp, err := http.Get(serve(t, &cluster{}) + "/api/v1/namespaces/ns/pods/p/proxy/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "error trying to reach service: connection refused") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestProxyUpgrade(t *testing.T) {
	front := serve(t, &cluster{backend: backend(t)})
	conn, err := net.Dial("tcp", strings.TrimPrefix(front, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /api/v1/namespaces/ns/pods/p/proxy/upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "echo" {
		t.Fatal(resp)
	}
	_, _ = io.WriteString(conn, "hello\n")
	line, err := in.ReadString('\n')
	if err != nil || line != "echo hello\n" {
		t.Fatalf("%q, %v", line, err)
	}
}

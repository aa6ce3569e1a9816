package embed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/keelson/keelson/apiserver/internal/pki"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

// cluster is a whole server in this process.
type cluster struct {
	dir       string
	addresses Addresses
	stop      func()
}

// start runs a server in a directory until the test ends or stop is called.
func start(t *testing.T, dir string) *cluster {
	t.Helper()
	cfg := Default()
	cfg.DataDir, cfg.AdvertiseAddress = dir, "127.0.0.1"
	cfg.RESTAddress, cfg.GRPCAddress = "127.0.0.1:0", "127.0.0.1:0"
	registry := prometheus.NewRegistry()
	cfg.Registerer, cfg.Gatherer = registry, registry
	cfg.Logger = zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
	ready := make(chan Addresses, 1)
	cfg.Ready = func(a Addresses) { ready <- a }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Start(ctx, cfg) }()
	c := &cluster{dir: dir}
	stopped := false
	c.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	t.Cleanup(c.stop)
	select {
	case c.addresses = <-ready:
	case err := <-done:
		stopped = true
		t.Fatalf("start: %v", err)
	}
	return c
}

// tls is the configuration of a client with a certificate of the data directory, or without any.
func (c *cluster) tls(t *testing.T, cert string) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(c.dir, "pki", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	cfg.RootCAs.AppendCertsFromPEM(pem)
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert+".crt", cert+".key")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg
}

func (c *cluster) admin() string { return filepath.Join(c.dir, "pki", "admin") }

func (c *cluster) do(t *testing.T, cert, method, path, body string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c.tls(t, cert), DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+c.addresses.REST.String()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
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

func (c *cluster) dial(t *testing.T, cert string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(c.addresses.GRPC.String(), grpc.WithTransportCredentials(credentials.NewTLS(c.tls(t, cert))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// What was written is there after a restart, through either door.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir)
	if code, body := c.do(t, "", "GET", "/readyz?verbose", ""); code != 200 || !strings.Contains(body, "[+]etcd ok") {
		t.Errorf("readyz: %d %s", code, body)
	}
	if code, body := c.do(t, "", "GET", "/api/v1/namespaces", ""); code != 401 {
		t.Errorf("without credentials: %d %s", code, body)
	}
	const path = "/api/v1/namespaces/default/configmaps"
	if code, body := c.do(t, c.admin(), "POST", path, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"b"}}`); code != 201 {
		t.Fatalf("create: %d %s", code, body)
	}
	get := &resourcev1.GetRequest{Ref: &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Version: "v1", Plural: "configmaps"}, Namespace: "default", Name: "c"}}
	if _, err := resourcev1.NewResourceServiceClient(c.dial(t, c.admin())).Get(t.Context(), get); err != nil {
		t.Errorf("through gRPC: %v", err)
	}
	c.stop()
	c = start(t, dir)
	if code, body := c.do(t, c.admin(), "GET", path+"/c", ""); code != 200 || !strings.Contains(body, `"a":"b"`) {
		t.Errorf("after a restart: %d %s", code, body)
	}
	if code, body := c.do(t, c.admin(), "GET", "/metrics", ""); code != 200 || !strings.Contains(body, `apiserver_request_total{code="200",group="",resource="configmaps"`) {
		t.Errorf("metrics: %d %.200s", code, body)
	}
}

// A second server on the same ports gives up before it touches the data.
func TestPortsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	cfg.RESTAddress, cfg.GRPCAddress = l.Addr().String(), "127.0.0.1:0"
	err = Start(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "--rest-bind-address") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(cfg.DataDir); !os.IsNotExist(err) {
		t.Errorf("the data directory was touched: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	cfg := Default()
	cfg.ServiceRange, cfg.NodePortRange, cfg.AdvertiseAddress, cfg.EtcdCert = "10.0.0.0/31", "9-1", "here", "x"
	err := Start(t.Context(), cfg)
	for _, flag := range []string{"--data-dir", "--service-cluster-ip-range", "--service-node-port-range", "--advertise-address", "--etcd-cert", "--etcd-endpoints"} {
		if err == nil || !strings.Contains(err.Error(), flag+": ") {
			t.Errorf("nothing about %s in: %v", flag, err)
		}
	}
}

// kubelet connects a node's tunnel and answers every exec with its command, every log with a line.
func (c *cluster) kubelet(t *testing.T, node string) {
	t.Helper()
	out := t.TempDir()
	ca, err := pki.OpenCA(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.IssueNode(node, nil, out, time.Hour); err != nil {
		t.Fatal(err)
	}
	client := tunnelv1.NewTunnelServiceClient(c.dial(t, filepath.Join(out, "kubelet")))
	control, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := control.Send(&tunnelv1.ConnectRequest{NodeName: node}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			op, err := control.Recv()
			if err != nil {
				return
			}
			session, err := client.Session(context.Background())
			if err != nil {
				return
			}
			say := func(text string) *tunnelv1.SessionRequest {
				return &tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Data{Data: &tunnelv1.Data{Channel: tunnelv1.Channel_CHANNEL_STDOUT, Payload: []byte(text)}}}
			}
			answer := say("a line of the log\n")
			if e := op.GetExec(); e != nil {
				answer = say(strings.Join(e.GetCommand(), " "))
			}
			for _, m := range []*tunnelv1.SessionRequest{
				{Frame: &tunnelv1.SessionRequest_Accept{Accept: &tunnelv1.Accept{SessionId: op.GetSessionId(), NodeName: node}}},
				answer, {Frame: &tunnelv1.SessionRequest_Exit{Exit: &tunnelv1.Exit{}}}} {
				if session.Send(m) != nil {
					break
				}
			}
			_ = session.CloseSend()
		}
	}()
}

// From kubectl's end of the REST door to a kubelet's end of the tunnel.
func TestIntoAPod(t *testing.T) {
	c := start(t, t.TempDir())
	for _, step := range []struct{ path, body string }{
		{"/api/v1/nodes", `{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}`},
		{"/api/v1/namespaces/default/serviceaccounts", `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}`},
		{"/api/v1/namespaces/default/pods", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"nodeName":"n1","containers":[{"name":"c","image":"i"}]}}`},
		{"/api/v1/namespaces/default/pods", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"lost"},"spec":{"nodeName":"n2","containers":[{"name":"c","image":"i"}]}}`},
	} {
		if code, body := c.do(t, c.admin(), "POST", step.path, step.body); code != 201 {
			t.Fatalf("%s: %d %s", step.path, code, body)
		}
	}
	c.kubelet(t, "n1")
	const pod = "/api/v1/namespaces/default/pods/p"
	if code, body := c.do(t, c.admin(), "GET", pod+"/log", ""); code != 200 || body != "a line of the log\n" {
		t.Errorf("log: %d %q", code, body)
	}
	d := websocket.Dialer{TLSClientConfig: c.tls(t, c.admin()), Subprotocols: []string{"v5.channel.k8s.io"}}
	ws, _, err := d.Dial(fmt.Sprintf("wss://%s%s/exec?command=echo&command=hi&stdout=1", c.addresses.REST, pod), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	got := map[byte]string{}
	for {
		_, m, err := ws.ReadMessage()
		if err != nil {
			break
		}
		got[m[0]] += string(m[1:])
	}
	if got[1] != "echo hi" || !strings.Contains(got[3], `"Success"`) {
		t.Errorf("exec: %q", got)
	}
	code, body := c.do(t, c.admin(), "GET", "/api/v1/namespaces/default/pods/lost/log", "")
	var s struct{ Message string }
	if err := json.Unmarshal([]byte(body), &s); err != nil || code != 503 || s.Message != `node "n2" is not connected to the API server` {
		t.Errorf("lost node: %d %s", code, body)
	}
	// A kubelet asks for what it has nothing to do with.
	out := t.TempDir()
	ca, err := pki.OpenCA(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.IssueNode("n3", nil, out, time.Hour); err != nil {
		t.Fatal(err)
	}
	code, body = c.do(t, filepath.Join(out, "kubelet"), "GET", "/api/v1/namespaces/default/secrets/s", "")
	if code != 403 || !strings.Contains(body, `secrets \"s\" is forbidden: User \"system:node:n3\" cannot get resource \"secrets\"`) {
		t.Errorf("another node's secret: %d %s", code, body)
	}
}

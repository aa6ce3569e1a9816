package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/keelson/keelson/proto/sdk/apitest/loopback"
	"github.com/keelson/keelson/proto/sdk/client"
)

// process is a program that is killed and started again.
type process struct {
	name string
	path string
	args []string
	log  string

	mu  sync.Mutex
	cmd *exec.Cmd
	end chan struct{} // closed when cmd has ended
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	// Whoever ends the tests by force ends what they have started.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	end := make(chan struct{})
	p.end = end
	go func(cmd *exec.Cmd) { _ = cmd.Wait(); close(end) }(p.cmd)
	return nil
}

// signal sends a signal and waits for the end.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(s)
	<-p.end
	p.cmd = nil
}

func (p *process) kill() { p.signal(syscall.SIGKILL) }

// tail is the end of the program's log.
func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	if len(b) > 4000 {
		b = b[len(b)-4000:]
	}
	return fmt.Sprintf("---- %s\n%s", p.name, b)
}

// supervise makes the process' life that of the test.
func (p *process) supervise(t testing.TB) {
	t.Helper()
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Log(p.tail())
		}
	})
}

// apiserver is a bare API server.
type apiserver struct {
	process
	dir        string
	rest, grpc string // host:port
	health     string
}

// startServer runs an API server with a directory of its own, or with the keys of another one, until the test ends.
func startServer(t testing.TB, name string, keysOf *apiserver, flags ...string) *apiserver {
	t.Helper()
	s := newServer(t, name, flags...)
	if keysOf != nil {
		if err := os.CopyFS(filepath.Join(s.dir, "pki"), os.DirFS(filepath.Join(keysOf.dir, "pki"))); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	s.supervise(t)
	if err := s.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func newServer(t testing.TB, name string, flags ...string) *apiserver {
	ports := loopback.Ports(t, 3)
	s := &apiserver{dir: t.TempDir(), rest: address(ports[0]), grpc: address(ports[1]), health: address(ports[2])}
	s.process = process{name: name, path: program(t, "keelson-apiserver"), log: filepath.Join(s.dir, "log"), args: append([]string{
		"--data-dir", s.dir, "--rest-bind-address", s.rest, "--grpc-bind-address", s.grpc, "--metrics-bind-address", s.health,
		"--advertise-address", "127.0.0.1"}, flags...)}
	return s
}

// ready waits until requests are answered.
func (s *apiserver) ready(ctx context.Context) error {
	h := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	return eventually(ctx, s.name+" is ready", func() bool {
		resp, err := h.Get("https://" + s.rest + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// again starts the server after it was killed.
func (s *apiserver) again(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	return s.ready(ctx)
}

// config is client-go's configuration of the administrator.
func (s *apiserver) config(t testing.TB) *rest.Config {
	t.Helper()
	c, err := clientcmd.BuildConfigFromFlags("", filepath.Join(s.dir, "admin.kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	c.QPS = -1
	return c
}

// conn is a gRPC connection of the administrator.
func (s *apiserver) conn(t testing.TB) *client.Conn {
	t.Helper()
	pki := filepath.Join(s.dir, "pki")
	c, err := client.Dial(client.Config{Endpoints: []string{s.grpc}, CAFile: filepath.Join(pki, "ca.crt"),
		CertFile: filepath.Join(pki, "admin.crt"), KeyFile: filepath.Join(pki, "admin.key"), UserAgent: "e2e/1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// members are an etcd cluster without TLS on this machine.
type members struct {
	list      []*process
	endpoints []string
	client    *clientv3.Client
}

// startEtcd runs a cluster of n members until the test ends.
func startEtcd(t testing.TB, n int, flags ...string) *members {
	t.Helper()
	path, dir := program(t, "etcd"), t.TempDir()
	ports := loopback.Ports(t, 2*n)
	var initial []string
	for i := range n {
		initial = append(initial, fmt.Sprintf("m%d=http://%s", i, address(ports[n+i])))
	}
	m := &members{}
	for i := range n {
		name, peer, url := fmt.Sprint("m", i), "http://"+address(ports[n+i]), "http://"+address(ports[i])
		m.endpoints = append(m.endpoints, url)
		m.list = append(m.list, &process{name: "etcd " + name, path: path, log: filepath.Join(dir, name+".log"), args: append([]string{
			"--name", name, "--data-dir", filepath.Join(dir, name), "--listen-client-urls", url, "--advertise-client-urls", url,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", strings.Join(initial, ","),
			"--log-level", "error", "--heartbeat-interval", "50", "--election-timeout", "500", "--max-request-bytes", "6291456"}, flags...)})
	}
	for _, p := range m.list {
		p.supervise(t)
	}
	var err error
	m.client, err = clientv3.New(clientv3.Config{Endpoints: m.endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.client.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := m.client.Get(ctx, "ready"); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *members) flag() string { return "--etcd-endpoints=" + strings.Join(m.endpoints, ",") }

// leader is the member that leads; nil while there is none.
func (m *members) leader(ctx context.Context) *process {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for i, e := range m.endpoints {
		if s, err := m.client.Status(ctx, e); err == nil && s.Leader == s.Header.MemberId {
			return m.list[i]
		}
	}
	return nil
}

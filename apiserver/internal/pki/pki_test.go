package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testOptions(dir string) Options {
	return Options{
		DataDir: dir, AdvertiseAddress: "192.0.2.7", ExtraNames: []string{"api.example", "203.0.113.4"},
		ServiceRange:  netip.MustParsePrefix("10.96.0.0/16"),
		HostAddresses: func() []net.IP { return []net.IP{net.IPv4(198, 51, 100, 1)} },
	}
}

func open(t *testing.T, o Options) *Authority {
	t.Helper()
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFirstStart(t *testing.T) {
	dir := t.TempDir()
	a := open(t, testOptions(dir))
	leaf := a.serving.Load().Leaf
	for _, name := range []string{
		"localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "10.96.0.1", "192.0.2.7", "api.example", "203.0.113.4", "198.51.100.1",
	} {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Errorf("serving certificate: %v", err)
		}
	}
	for _, f := range []string{"ca.key", "sa.key", "apiserver.key", "admin.key", "scheduler.key", "controller-manager.key"} {
		info, err := os.Stat(filepath.Join(dir, "pki", f))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, info.Mode().Perm())
		}
	}
	users := map[string]string{
		"admin": "kubernetes-admin", "scheduler": "system:kube-scheduler", "controller-manager": "system:kube-controller-manager",
	}
	for file, user := range users {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki", file+".crt"), filepath.Join(dir, "pki", file+".key"))
		if err != nil {
			t.Fatal(err)
		}
		if pair.Leaf.Subject.CommonName != user {
			t.Errorf("%s is %q", file, pair.Leaf.Subject.CommonName)
		}
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: a.ClientCAs(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	config, err := os.ReadFile(filepath.Join(dir, "admin.kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(config), "server: https://192.0.2.7:6443\n") {
		t.Error("admin.kubeconfig names another server")
	}
}

// snapshot reads every file below dir.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSecondStartChangesNothing(t *testing.T) {
	dir := t.TempDir()
	open(t, testOptions(dir))
	before := snapshot(t, dir)
	open(t, testOptions(dir))
	for name, data := range snapshot(t, dir) {
		if before[name] != data {
			t.Errorf("%s changed", name)
		}
	}
}

// TestCrashAtEveryWrite replays a first start that died after each file it wrote, in the order it writes them, with a
// half-written temporary beside: the next start must finish, and keep what was there.
func TestCrashAtEveryWrite(t *testing.T) {
	order := []string{
		"pki/ca.key", "pki/ca.crt", "pki/sa.key", "pki/sa.pub", "pki/apiserver.key", "pki/apiserver.crt",
		"pki/scheduler.key", "pki/scheduler.crt", "pki/controller-manager.key", "pki/controller-manager.crt",
		"pki/admin.key", "pki/admin.crt", "admin.kubeconfig",
	}
	whole := t.TempDir()
	open(t, testOptions(whole))
	files := snapshot(t, whole)
	for n := 0; n <= len(order); n++ {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "pki"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range order[:n] {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		torn := filepath.Join(dir, "pki", ".sa.key"+tempMark+"123")
		if err := os.WriteFile(torn, []byte("-----BEGIN PRIV"), 0o600); err != nil {
			t.Fatal(err)
		}
		a := open(t, testOptions(dir))
		for _, name := range order[:n] {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if string(data) != files[name] {
				t.Errorf("after %d files: %s was replaced", n, name)
			}
		}
		if _, err := os.Stat(torn); !os.IsNotExist(err) {
			t.Errorf("after %d files: the torn temporary is still there", n)
		}
		if _, err := a.serving.Load().Leaf.Verify(x509.VerifyOptions{Roots: a.ClientCAs()}); err != nil {
			t.Errorf("after %d files: %v", n, err)
		}
	}
}

func TestDamage(t *testing.T) {
	cases := []struct {
		name, file string
		data       string // empty: removed
		wantErr    string
	}{
		{name: "leaf certificate torn", file: "pki/apiserver.crt", data: "-----BEGIN CERTIFICATE-----\nMII"},
		{name: "leaf key lost", file: "pki/apiserver.key"},
		{name: "leaf key torn", file: "pki/admin.key", data: "x"},
		{name: "kubeconfig lost", file: "admin.kubeconfig"},
		{name: "authority's key torn", file: "pki/ca.key", data: "x", wantErr: "ca.key: no PEM private key found"},
		{name: "authority torn", file: "pki/ca.crt", data: "x", wantErr: "ca.crt: no PEM certificate found"},
		{name: "token key torn", file: "pki/sa.key", data: "x", wantErr: "no PEM private key found"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, testOptions(dir))
			ca := snapshot(t, dir)["pki/ca.crt"]
			path := filepath.Join(dir, c.file)
			if c.data == "" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(testOptions(dir))
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Fatalf("got %v, want %q", err, c.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if snapshot(t, dir)["pki/ca.crt"] != ca {
				t.Error("the authority was replaced")
			}
		})
	}
}

func TestMissingAuthorityKey(t *testing.T) {
	dir := t.TempDir()
	open(t, testOptions(dir))
	if err := os.Remove(filepath.Join(dir, "pki", "ca.key")); err != nil {
		t.Fatal(err)
	}
	open(t, testOptions(dir)) // nothing is due, so nothing has to be signed
	o := testOptions(dir)
	o.ExtraNames = append(o.ExtraNames, "new.example")
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "ca.key is missing") {
		t.Fatalf("got %v", err)
	}
}

func TestReissue(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	o := testOptions(dir)
	o.Now = func() time.Time { return now }
	a := open(t, o)
	first := a.serving.Load().Leaf

	o.ExtraNames = o.ExtraNames[:1]
	if leaf := open(t, o).serving.Load().Leaf; !leaf.Equal(first) {
		t.Error("fewer names are no reason for a new certificate")
	}
	o.ExtraNames = []string{"second.example"}
	second := open(t, o).serving.Load().Leaf
	if second.VerifyHostname("second.example") != nil {
		t.Error("the new name is missing")
	}
	if err := a.Renew(); err != nil {
		t.Fatal(err)
	}

	now = now.Add(serverLifetime / 4 * 3)
	a2 := open(t, o)
	third := a2.serving.Load().Leaf
	if third.Equal(second) || !third.NotAfter.After(now.Add(serverLifetime/2)) {
		t.Error("an old certificate was not renewed")
	}
	now = now.Add(serverLifetime / 4 * 3)
	if err := a2.Renew(); err != nil {
		t.Fatal(err)
	}
	served, err := a2.ServerTLS().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if served.Leaf.Equal(third) {
		t.Error("the running server still serves the old certificate")
	}
	if !sameKey(served.Leaf.PublicKey, third.PublicKey) {
		t.Error("renewal changed the key")
	}
}

func TestKubeconfigKeepsWhatPeopleChange(t *testing.T) {
	dir := t.TempDir()
	open(t, testOptions(dir))
	path := filepath.Join(dir, "admin.kubeconfig")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := bytes.Replace(data, []byte("    cluster: keelson\n"), []byte("    cluster: keelson\n    namespace: shop\n"), 1)
	if err := os.WriteFile(path, edited, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, testOptions(dir))
	if after, _ := os.ReadFile(path); !bytes.Equal(after, edited) {
		t.Error("the edit is gone")
	}
	o := testOptions(dir)
	o.AdvertiseAddress = "192.0.2.8"
	open(t, o)
	if after, _ := os.ReadFile(path); !bytes.Contains(after, []byte("https://192.0.2.8:6443")) {
		t.Error("the new address is missing")
	}
}

func TestIssue(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	if _, err := OpenCA(dir); err == nil || !strings.Contains(err.Error(), "start the API server") {
		t.Fatalf("got %v", err)
	}
	a := open(t, testOptions(dir))
	ca, err := OpenCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := ca.IssueNode("n1", []net.IP{net.IPv4(192, 0, 2, 9)}, out, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	kubelet, err := tls.LoadX509KeyPair(filepath.Join(out, "kubelet.crt"), filepath.Join(out, "kubelet.key"))
	if err != nil {
		t.Fatal(err)
	}
	if s := kubelet.Leaf.Subject; s.CommonName != "system:node:n1" || len(s.Organization) != 1 || s.Organization[0] != "system:nodes" {
		t.Errorf("kubelet is %v", s)
	}
	proxy, err := tls.LoadX509KeyPair(filepath.Join(out, "proxy.crt"), filepath.Join(out, "proxy.key"))
	if err != nil {
		t.Fatal(err)
	}
	if proxy.Leaf.Subject.CommonName != "system:kube-proxy" {
		t.Errorf("proxy is %v", proxy.Leaf.Subject)
	}
	if _, err := kubelet.Leaf.Verify(x509.VerifyOptions{Roots: a.ClientCAs(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "N1", "../x", "a..b", "-a"} {
		if err := ca.IssueNode(bad, nil, out, time.Hour); err == nil {
			t.Errorf("node name %q was accepted", bad)
		}
	}
	if err := ca.IssueUser("jane@example/../x", []string{"dev", "admins"}, a.ServerURL(), out, time.Hour); err != nil {
		t.Fatal(err)
	}
	jane, err := tls.LoadX509KeyPair(filepath.Join(out, "jane-example-..-x.crt"), filepath.Join(out, "jane-example-..-x.key"))
	if err != nil {
		t.Fatal(err)
	}
	if jane.Leaf.Subject.CommonName != "jane@example/../x" || !sameSet(jane.Leaf.Subject.Organization, []string{"admins", "dev"}) {
		t.Errorf("user is %v", jane.Leaf.Subject)
	}
}

// TestSecondServer: a server that was given the authority and the token key of another trusts and is trusted by it.
func TestSecondServer(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	a := open(t, testOptions(first))
	if err := os.MkdirAll(filepath.Join(second, "pki"), 0o700); err != nil {
		t.Fatal(err)
	}
	files := snapshot(t, first)
	for _, name := range []string{"pki/ca.crt", "pki/ca.key", "pki/sa.key", "pki/sa.pub"} {
		if err := os.WriteFile(filepath.Join(second, name), []byte(files[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := testOptions(second)
	o.AdvertiseAddress = "192.0.2.8"
	b := open(t, o)
	if _, err := b.serving.Load().Leaf.Verify(x509.VerifyOptions{Roots: a.ClientCAs()}); err != nil {
		t.Error(err)
	}
	if !sameKey(a.ServiceAccountKey().Public(), b.ServiceAccountPublicKeys()[0]) {
		t.Error("another token key")
	}
}

// TestReload: connections made after a renewal get the new certificate, without a restart.
func TestReload(t *testing.T) {
	now := time.Now()
	o := testOptions(t.TempDir())
	o.Now = func() time.Time { return now }
	a := open(t, o)
	served := func() *x509.Certificate {
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		done := make(chan error, 1)
		go func() { done <- tls.Server(server, a.ServerTLS()).Handshake() }()
		c := tls.Client(client, &tls.Config{RootCAs: a.ClientCAs(), ServerName: "kubernetes.default.svc", Time: o.Now})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return c.ConnectionState().PeerCertificates[0]
	}
	before := served()
	now = now.Add(serverLifetime / 10 * 9)
	if err := a.Renew(); err != nil {
		t.Fatal(err)
	}
	if after := served(); after.Equal(before) || !after.NotAfter.After(before.NotAfter) {
		t.Error("the old certificate is still served")
	}
}

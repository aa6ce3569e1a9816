package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/apitest/loopback"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/internal/scripted"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, n: 1}
	a.cert, a.key = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.n++
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(a.n), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, parentKey := a.cert, a.key
	if parent == nil {
		parent, parentKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	if err != nil {
		a.t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return parsed, key
}

// issue writes a certificate of the name to dir.
func (a *authority) issue(dir, file, name string) (certFile, keyFile string) {
	a.t.Helper()
	c, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	})
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, file+".crt"), filepath.Join(dir, file+".key")
	write(a.t, certFile, "CERTIFICATE", c.Raw)
	write(a.t, keyFile, "EC PRIVATE KEY", der)
	return certFile, keyFile
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func write(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	// Two writes within the clock's resolution would look like one.
	stamp = stamp.Add(time.Second)
	if err := os.Chtimes(file, stamp, stamp); err != nil {
		t.Fatal(err)
	}
}

var stamp = time.Now().Add(-time.Hour)

// tlsServer is an API server that answers each get with a pod named after the client's certificate.
type tlsServer struct {
	*grpc.Server
	address string
	loop    sync.WaitGroup
}

func (a *authority) serve(address, name string) *tlsServer {
	a.t.Helper()
	certFile, keyFile := a.issue(a.t.TempDir(), "server", name)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		a.t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		a.t.Fatal(err)
	}
	s := &tlsServer{Server: grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool(),
	}))), address: l.Addr().String()}
	resourcev1.RegisterResourceServiceServer(s, &scripted.Service{OnGet: func(ctx context.Context, _ *resourcev1.GetRequest) (*resourcev1.GetResponse, error) {
		p, _ := peer.FromContext(ctx)
		user := p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0].Subject.CommonName
		return &resourcev1.GetResponse{Object: scripted.Object(pod(user+"@"+name, 1))}, nil
	}})
	s.loop.Go(func() { _ = s.Serve(l) })
	a.t.Cleanup(s.kill)
	return s
}

func (s *tlsServer) kill() {
	s.Stop()
	s.loop.Wait()
}

func who(t *testing.T, c *client.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p, err := client.For[*corev1.Pod](c).Get(ctx, "default", "x")
	if err != nil {
		t.Fatal(err)
	}
	return p.Metadata.Name
}

func TestCertificatesAreReadAgain(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	s := ca.serve(loopback.Address(t), "s1")
	caFile := filepath.Join(dir, "ca.crt")
	write(t, caFile, "CERTIFICATE", ca.cert.Raw)
	crt, key := ca.issue(dir, "client", "old")
	c, err := client.Dial(client.Config{Endpoints: []string{s.address}, CAFile: caFile, CertFile: crt, KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := who(t, c); got != "old@s1" {
		t.Fatalf("got %s", got)
	}
	ca.issue(dir, "client", "new")
	s.kill()
	s = ca.serve(s.address, "s2")
	if got := who(t, c); got != "new@s2" {
		t.Errorf("after the renewal: %s", got)
	}
	// A half-written renewal leaves the last good one in place.
	write(t, crt, "CERTIFICATE", []byte("half"))
	s.kill()
	s = ca.serve(s.address, "s3")
	if got := who(t, c); got != "new@s3" {
		t.Errorf("with half a certificate: %s", got)
	}
	// A new authority.
	ca2 := newAuthority(t)
	s.kill()
	write(t, caFile, "CERTIFICATE", ca2.cert.Raw)
	ca2.issue(dir, "client", "other")
	ca2.serve(s.address, "s4")
	if got := who(t, c); got != "other@s4" {
		t.Errorf("with a new authority: %s", got)
	}
}

func TestFailOver(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	caFile := filepath.Join(dir, "ca.crt")
	write(t, caFile, "CERTIFICATE", ca.cert.Raw)
	crt, key := ca.issue(dir, "client", "u")
	servers := map[string]*tlsServer{}
	var endpoints []string
	for _, name := range []string{"s1", "s2", "s3"} {
		servers[name] = ca.serve(loopback.Address(t), name)
		endpoints = append(endpoints, servers[name].address)
	}
	c, err := client.Dial(client.Config{Endpoints: endpoints, CAFile: caFile, CertFile: crt, KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range servers {
		at := strings.TrimPrefix(who(t, c), "u@")
		if again := strings.TrimPrefix(who(t, c), "u@"); again != at {
			t.Errorf("the client does not stick to %s: %s", at, again)
		}
		if servers[at] == nil {
			t.Fatalf("answered by %s, which is dead", at)
		}
		if len(servers) == 1 {
			break
		}
		servers[at].kill()
		delete(servers, at)
	}
}

func TestWrongAuthorityIsAnErrorThatIsLogged(t *testing.T) {
	ca, other, dir := newAuthority(t), newAuthority(t), t.TempDir()
	s := ca.serve(loopback.Address(t), "s")
	caFile := filepath.Join(dir, "ca.crt")
	write(t, caFile, "CERTIFICATE", other.cert.Raw)
	crt, key := ca.issue(dir, "client", "u")
	core, logs := observer.New(zap.WarnLevel)
	c, err := client.Dial(client.Config{
		Endpoints: []string{s.address}, CAFile: caFile, CertFile: crt, KeyFile: key, Logger: zap.New(core), CallTimeout: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = client.For[*corev1.Pod](c).Get(t.Context(), "default", "x")
	if err == nil || !strings.Contains(err.Error(), "certificate") && !apierrors.IsTimeout(err) {
		t.Errorf("err = %v", err)
	}
	if n := logs.FilterMessage("TLS with the API server failed").Len(); n != 1 {
		t.Errorf("logged %d times: %v", n, logs.All())
	}
}

func TestDialChecksItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]client.Config{
		"no endpoint":          {},
		"has no host":          {Endpoints: []string{":6444"}},
		"read authorities":     {Endpoints: []string{"h"}, CAFile: filepath.Join(dir, "missing")},
		"holds no certificate": {Endpoints: []string{"h"}, CAFile: empty},
		"go together":          {Endpoints: []string{"h"}, CertFile: empty},
		"read certificate":     {Endpoints: []string{"h"}, CertFile: empty, KeyFile: empty},
	} {
		if _, err := client.Dial(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, e := range []string{"10.0.0.1", "10.0.0.1:7000", "::1", "[::1]", "[::1]:7000", "host.example"} {
		c, err := client.Dial(client.Config{Endpoints: []string{e}})
		if err != nil {
			t.Errorf("%s: %v", e, err)
			continue
		}
		_ = c.Close()
	}
}

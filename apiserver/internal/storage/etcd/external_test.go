package etcd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/suite"
	"github.com/keelson/keelson/proto/sdk/apitest/loopback"
)

// cluster is an external etcd of several members with TLS, as operators run it.
type cluster struct {
	members   []*embed.Etcd
	endpoints []string
	tls       *tls.Config
	stopped   map[*embed.Etcd]bool
}

// stop ends a member; ending it again does nothing.
func (c *cluster) stop(m *embed.Etcd) {
	if !c.stopped[m] {
		c.stopped[m] = true
		m.Close()
	}
}

// startCluster starts n members on loopback ports.
func startCluster(t *testing.T, n int) *cluster {
	t.Helper()
	dir := t.TempDir()
	c := &cluster{tls: certificate(t, dir), stopped: map[*embed.Etcd]bool{}}
	var peers, initial []string
	ports := loopback.Ports(t, 2*n)
	for i := range n {
		c.endpoints = append(c.endpoints, fmt.Sprint("https://127.0.0.1:", ports[2*i]))
		peers = append(peers, fmt.Sprint("http://127.0.0.1:", ports[2*i+1]))
		initial = append(initial, fmt.Sprintf("m%d=%s", i, peers[i]))
	}
	for i := range n {
		e := embed.NewConfig()
		e.Name, e.Dir = fmt.Sprint("m", i), filepath.Join(dir, fmt.Sprint(i))
		e.ListenClientUrls, e.AdvertiseClientUrls = urls(t, c.endpoints[i]), urls(t, c.endpoints[i])
		e.ListenPeerUrls, e.AdvertisePeerUrls = urls(t, peers[i]), urls(t, peers[i])
		e.InitialCluster = strings.Join(initial, ",")
		e.MaxRequestBytes, e.UnsafeNoFsync = maxRequestBytes, true
		e.TickMs, e.ElectionMs = 50, 500
		e.ClientTLSInfo.CertFile, e.ClientTLSInfo.KeyFile = filepath.Join(dir, "crt"), filepath.Join(dir, "key")
		e.ClientTLSInfo.TrustedCAFile, e.ClientTLSInfo.ClientCertAuth = filepath.Join(dir, "crt"), true
		e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
		m, err := embed.StartEtcd(e)
		if err != nil {
			t.Fatal(err)
		}
		c.members = append(c.members, m)
		t.Cleanup(func() { c.stop(m) })
	}
	for _, m := range c.members {
		<-m.Server.ReadyNotify()
	}
	return c
}

func urls(t *testing.T, s string) []url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return []url.URL{*u}
}

// certificate writes a certificate that is its own authority, for servers and clients, and returns the client's side.
func certificate(t *testing.T, dir string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "etcd"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{"crt": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func (c *cluster) open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Endpoints: c.endpoints, TLS: c.tls, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestExternalSuite(t *testing.T) {
	suite.Run(t, func(t *testing.T) store.Store { return startCluster(t, 1).open(t) })
}

// One member of three may go at any time: nothing acknowledged is lost, and a watch misses nothing.
func TestLossOfAMember(t *testing.T) {
	for _, victim := range []string{"leader", "follower"} {
		t.Run(victim, func(t *testing.T) {
			c := startCluster(t, 3)
			s := c.open(t)
			w, err := s.Watch(t.Context(), "/k/", 1)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			const writes, lossAt = 60, 20
			acknowledged := map[string]int64{}
			for i := range writes {
				if i == lossAt {
					c.stop(c.member(victim == "leader"))
				}
				key := fmt.Sprintf("/k/%02d", i)
				deadline := time.Now().Add(20 * time.Second)
				for {
					rev, err := s.Create(t.Context(), key, []byte(key), 0)
					if err == nil {
						acknowledged[key] = rev
						break
					}
					// Without its leader the cluster refuses for a moment; a write that was refused may have happened.
					if kv, getErr := s.Get(t.Context(), key); getErr == nil {
						acknowledged[key] = kv.Revision
						break
					}
					if time.Now().After(deadline) {
						t.Fatal(err)
					}
				}
			}
			got := map[string]int64{}
			for len(got) < writes {
				b, err := w.Next(t.Context())
				if err != nil {
					t.Fatalf("after %d events: %v", len(got), err)
				}
				for _, e := range b.Events {
					got[e.KV.Key] = e.KV.Revision
				}
			}
			for k, rev := range acknowledged {
				if got[k] != rev {
					t.Errorf("%s written at %d, seen at %d", k, rev, got[k])
				}
			}
			now, err := s.Revision(t.Context())
			if err != nil || now < acknowledged[fmt.Sprintf("/k/%02d", writes-1)] {
				t.Fatalf("revision %d, %v", now, err)
			}
		})
	}
}

func (c *cluster) member(leader bool) *embed.Etcd {
	for _, m := range c.members {
		if (m.Server.Leader() == m.Server.MemberID()) == leader {
			return m
		}
	}
	return c.members[0]
}

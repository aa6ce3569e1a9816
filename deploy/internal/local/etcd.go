package local

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Ports of member i (from 1) are etcdClientPort+i and etcdPeerPort+i.
const etcdClientPort, etcdPeerPort = 23790, 23800

// startEtcd runs an etcd cluster with TLS between members and towards clients, and says how to reach it.
func (c *Config) startEtcd(context.Context) (EtcdClient, error) {
	dir := filepath.Join(c.Dir, "etcd")
	pki := filepath.Join(dir, "pki")
	if err := ensureEtcdPKI(pki); err != nil {
		return EtcdClient{}, err
	}
	file := func(name string) string { return filepath.Join(pki, name) }
	var endpoints, members []string
	for i := 1; i <= c.EtcdMembers; i++ {
		endpoints = append(endpoints, fmt.Sprintf("https://127.0.0.1:%d", etcdClientPort+i))
		members = append(members, fmt.Sprintf("etcd-%d=https://127.0.0.1:%d", i, etcdPeerPort+i))
	}
	for i := 1; i <= c.EtcdMembers; i++ {
		name := fmt.Sprintf("etcd-%d", i)
		client, peer := endpoints[i-1], strings.SplitN(members[i-1], "=", 2)[1]
		_, err := c.ensure(command{component: name, argv: []string{
			c.EtcdBinary, "--name", name, "--data-dir", filepath.Join(dir, name),
			"--listen-client-urls", client, "--advertise-client-urls", client,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
			"--initial-cluster", strings.Join(members, ","), "--initial-cluster-token", "keelson",
			"--client-cert-auth", "--trusted-ca-file", file("ca.crt"), "--cert-file", file("member.crt"), "--key-file", file("member.key"),
			"--peer-client-cert-auth", "--peer-trusted-ca-file", file("ca.crt"), "--peer-cert-file", file("member.crt"), "--peer-key-file", file("member.key"),
			"--log-level", "warn",
		}})
		if err != nil {
			return EtcdClient{}, err
		}
	}
	return EtcdClient{
		Endpoints: strings.Join(endpoints, ","),
		CA:        file("ca.crt"), Cert: file("client.crt"), Key: file("client.key"),
	}, nil
}

// ensureEtcdPKI writes a CA and the members' and the client's certificates, once.
func ensureEtcdPKI(dir string) error {
	if exists(filepath.Join(dir, "client.crt")) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca := &x509.Certificate{
		Subject: pkix.Name{CommonName: "etcd-ca"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	caKey, err := writeCertificate(dir, "ca", ca, nil, nil)
	if err != nil {
		return err
	}
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, name := range []string{"member", "client"} {
		leaf := &x509.Certificate{
			Subject: pkix.Name{CommonName: "etcd-" + name}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: both,
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		}
		if _, err := writeCertificate(dir, name, leaf, ca, caKey); err != nil {
			return err
		}
	}
	return nil
}

// writeCertificate signs a certificate (itself, where parent is nil) and writes it after its key.
func writeCertificate(dir, name string, cert, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if cert.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	cert.NotBefore, cert.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(5, 0, 0)
	if parent == nil {
		parent, parentKey = cert, key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
	if err := os.WriteFile(filepath.Join(dir, name+".key"), keyPEM, 0o600); err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return key, os.WriteFile(filepath.Join(dir, name+".crt"), certPEM, 0o644)
}

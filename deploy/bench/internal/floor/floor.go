// Package floor measures what TLS itself costs a server: the processor time to encrypt bytes and to hand them to the
// kernel. No server that sends these bytes can be cheaper.
package floor

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Cost returns the sender's processor time to send so many messages of a size over one TLS connection on loopback.
func Cost(messages, size int) (cpu time.Duration, err error) {
	server, client, err := connect()
	if err != nil {
		return 0, err
	}
	defer server.Close()
	read := make(chan error, 1)
	go func() {
		defer client.Close()
		_, err := io.CopyN(io.Discard, client, int64(messages*size))
		read <- err
	}()
	message := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	if cpu, err = send(server, message, messages); err != nil {
		return 0, err
	}
	return cpu, <-read
}

// send writes from a thread of its own, so that the thread's clock counts nothing else.
func send(c net.Conn, message []byte, times int) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := threadTime()
	if err != nil {
		return 0, err
	}
	for range times {
		if _, err := c.Write(message); err != nil {
			return 0, err
		}
	}
	after, err := threadTime()
	return after - before, err
}

func threadTime() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano()), err
}

// connect returns both ends of a TLS 1.3 connection.
func connect() (server, client *tls.Conn, err error) {
	cert, err := certificate()
	if err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	near, err := l.Accept()
	if err != nil {
		return nil, nil, errors.Join(err, far.Close())
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	server = tls.Server(near, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}})
	client = tls.Client(far, &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: "127.0.0.1"})
	shaken := make(chan error, 1)
	go func() { shaken <- client.Handshake() }()
	if err := errors.Join(server.Handshake(), <-shaken); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("TLS on loopback: %w", err), near.Close(), far.Close())
	}
	return server, client, nil
}

// certificate is good for a minute's talk of a process with itself.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

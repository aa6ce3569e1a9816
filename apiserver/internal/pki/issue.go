package pki

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// OpenCA loads the authority of a data directory where a server has started before. Unlike Open it makes nothing: it
// is for those who only want a certificate signed.
func OpenCA(dataDir string) (*CA, error) {
	dir := filepath.Join(dataDir, "pki")
	bundle, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("%s holds no certificate authority: start the API server with this data directory first", dir)
	}
	if err != nil {
		return nil, err
	}
	return loadCA(bundle, filepath.Join(dir, "ca.key"), time.Now)
}

// nodeName is the form of a node's name: a DNS subdomain.
var nodeName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// IssueNode writes to out what a node needs: ca.crt, kubelet.{crt,key} and proxy.{crt,key}.
func (ca *CA) IssueNode(name string, ips []net.IP, out string, lifetime time.Duration) error {
	if len(name) > 253 || !nodeName.MatchString(name) {
		return fmt.Errorf("invalid node name %q: a lowercase RFC 1123 subdomain is required", name)
	}
	if err := ca.write(out, "kubelet", Subject{
		CommonName: "system:node:" + name, Organizations: []string{"system:nodes"},
		DNSNames: []string{name}, IPs: ips, Lifetime: lifetime,
	}); err != nil {
		return err
	}
	return ca.write(out, "proxy", Subject{CommonName: "system:kube-proxy", Lifetime: lifetime})
}

// IssueUser writes to out the certificate of a person or program, and a kubeconfig for it.
func (ca *CA) IssueUser(user string, groups []string, server, out string, lifetime time.Duration) error {
	if user == "" {
		return errors.New("a user name is required")
	}
	base := fileName(user)
	s := Subject{CommonName: user, Organizations: groups, Lifetime: lifetime}
	if err := ca.write(out, base, s); err != nil {
		return err
	}
	if server == "" {
		return nil
	}
	cert, err := os.ReadFile(filepath.Join(out, base+".crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(out, base+".key"))
	if err != nil {
		return err
	}
	config := Kubeconfig(server, base, ca.Bundle, Pair{Cert: cert, Key: key})
	return writeFile(filepath.Join(out, base+".kubeconfig"), config, modeSecret)
}

// write issues one pair. A key that is already there is kept, so that repeating the command never leaves a running
// component with a pair that does not match.
func (ca *CA) write(out, base string, s Subject) error {
	if err := os.MkdirAll(out, modeDir); err != nil {
		return err
	}
	unlock, err := lock(out)
	if err != nil {
		return err
	}
	defer unlock()
	if err := removeLeftovers(out); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(out, "ca.crt"), ca.Bundle, modePublic); err != nil {
		return err
	}
	_, _, err = ca.ensurePair(filepath.Join(out, base), s, true)
	return err
}

var notInFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// fileName turns a user name into something that is one file in any directory.
func fileName(user string) string {
	name := notInFileName.ReplaceAllString(user, "-")
	if name == "." || name == ".." || name == "" {
		return "user"
	}
	return name
}

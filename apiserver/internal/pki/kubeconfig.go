package pki

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// Kubeconfig renders a client configuration that needs no other file.
func Kubeconfig(server, user string, caBundle []byte, p Pair) []byte {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: keelson
  cluster:
    server: %[1]s
    certificate-authority-data: %[2]s
contexts:
- name: %[3]s@keelson
  context:
    cluster: keelson
    user: %[3]s
current-context: %[3]s@keelson
users:
- name: %[3]s
  user:
    client-certificate-data: %[4]s
    client-key-data: %[5]s
preferences: {}
`, server, b64(caBundle), user, b64(p.Cert), b64(p.Key))
}

// ServerURL is where clients find the REST door.
func (a *Authority) ServerURL() string { return serverURL(a.o.AdvertiseAddress, a.o.RESTPort) }

func serverURL(host string, port int) string {
	if host == "" {
		host = "127.0.0.1"
	}
	return "https://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// ensureKubeconfig writes admin.kubeconfig unless the one there holds the same credentials: people change their
// current context and namespace in it, and that has to survive a restart.
func (a *Authority) ensureKubeconfig(admin Pair) error {
	path := filepath.Join(a.o.DataDir, "admin.kubeconfig")
	have, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	b64 := base64.StdEncoding.EncodeToString
	current := true
	for _, part := range []string{
		"server: " + a.ServerURL() + "\n", b64(a.CA.Bundle), b64(admin.Cert), b64(admin.Key),
	} {
		current = current && bytes.Contains(have, []byte(part))
	}
	if current {
		return nil
	}
	return writeFile(path, Kubeconfig(a.ServerURL(), "kubernetes-admin", a.CA.Bundle, admin), modeSecret)
}

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCredentials(t *testing.T) {
	ns := namespace(t)
	kubectl(t, "-n", ns, "create", "secret", "generic", "s", "--from-literal=a=b")
	secret := "/api/v1/namespaces/" + ns + "/secrets/s"
	refused := func(t *testing.T, c *httpClient) {
		t.Helper()
		for _, path := range []string{secret, "/api/v1/nodes", "/metrics"} {
			c.do(t, "GET", path, "", "").want(t, 401, "Unauthorized", "Unauthorized")
		}
		c.do(t, "DELETE", secret, "", "").want(t, 401, "Unauthorized", "Unauthorized")
	}
	t.Run("none", func(t *testing.T) { refused(t, newHTTPClient(t, nil)) })
	t.Run("wrong token", func(t *testing.T) {
		c := newHTTPClient(t, nil)
		c.token = "abc.def.ghi"
		refused(t, c)
	})
	t.Run("certificate of another authority", func(t *testing.T) { refused(t, newHTTPClient(t, foreignCertificate(t))) })
	t.Run("kubectl", func(t *testing.T) {
		server := strings.TrimSpace(kubectl(t, "config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"))
		ca := filepath.Join(shared.pki(), "ca.crt")
		// The words of kubectl for a 401.
		out, err := tryWith(filepath.Join(shared.bin, "kubectl"), "", "--kubeconfig=/dev/null", "--server="+server, "--certificate-authority="+ca, "--token=x", "get", "pods")
		if err == nil || !strings.Contains(out, "You must be logged in to the server") {
			t.Errorf("with a wrong token: %v %s", err, out)
		}
		out, err = tryWith(filepath.Join(shared.bin, "kubectl"), "", "--kubeconfig=/dev/null", "--server="+server, "--token=x", "get", "pods")
		if err == nil || !strings.Contains(out, "certificate signed by unknown authority") {
			t.Errorf("without the authority: %v %s", err, out)
		}
	})
	if got := kubectl(t, "-n", ns, "get", "secret", "s", "-o", "jsonpath={.data.a}"); got != "Yg==" {
		t.Errorf("the secret is %q", got)
	}
}

// foreignCertificate is an administrator's certificate that signs itself.
func foreignCertificate(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes-admin", Organization: []string{"system:masters"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A kubelet's certificate reads what the pods of its node mention, and writes its own node's objects only.
func TestKubeletCertificate(t *testing.T) {
	ns := namespace(t)
	out := t.TempDir()
	issue := exec.Command(filepath.Join(shared.bin, "keelson-apiserver"), "issue", "--data-dir", filepath.Join(shared.dir, "apiserver"),
		"--node", "other", "--ip", "192.0.2.7", "--out", out)
	if b, err := issue.CombinedOutput(); err != nil {
		t.Fatalf("issue: %v\n%s", err, b)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(out, "kubelet.crt"), filepath.Join(out, "kubelet.key"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = try("-n", ns, "delete", "pod", "--all", "--force", "--grace-period=0")
		_, _ = try("delete", "node", "other", "another")
	})
	apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Node
metadata: {name: other}
spec: {unschedulable: true}
---
apiVersion: v1
kind: Secret
metadata: {name: mine, namespace: %[1]s}
---
apiVersion: v1
kind: Secret
metadata: {name: theirs, namespace: %[1]s}
---
apiVersion: v1
kind: Pod
metadata: {name: mine, namespace: %[1]s}
spec: {nodeName: other, containers: [{name: c, image: "none:v1", envFrom: [{secretRef: {name: mine}}]}]}
---
apiVersion: v1
kind: Node
metadata: {name: another}
spec: {unschedulable: true}
---
apiVersion: v1
kind: Pod
metadata: {name: theirs, namespace: %[1]s}
spec: {nodeName: another, containers: [{name: c, image: "none:v1", envFrom: [{secretRef: {name: theirs}}]}]}
`, ns))
	kubelet := newHTTPClient(t, &pair)
	if got := kubelet.do(t, "GET", "/api/v1/namespaces/"+ns+"/secrets/mine", "", ""); got.code != 200 {
		t.Errorf("the secret of the node's own pod: %d %s", got.code, got.body)
	}
	const user = `User "system:node:other" cannot `
	kubelet.do(t, "GET", "/api/v1/namespaces/"+ns+"/secrets/theirs", "", "").want(t, 403, "Forbidden",
		`secrets "theirs" is forbidden: `+user+`get resource "secrets" in API group "" in the namespace "`+ns+`": node: no relationship found between node 'other' and this object`)
	kubelet.do(t, "GET", "/api/v1/namespaces/"+ns+"/secrets", "", "").want(t, 403, "Forbidden",
		`secrets is forbidden: `+user+`list resource "secrets" in API group "" in the namespace "`+ns+`"`)
	kubelet.do(t, "PUT", "/api/v1/namespaces/"+ns+"/pods/theirs/status", jsonType, fmt.Sprintf(pod, "theirs", "")).want(t, 403, "Forbidden", "other")
	kubelet.do(t, "PATCH", "/api/v1/nodes/another", "application/merge-patch+json", `{"metadata":{"labels":{"a":"b"}}}`).want(t, 403, "Forbidden", `node "other" is not allowed to modify node "another"`)
	kubelet.do(t, "POST", "/apis/apps/v1/namespaces/"+ns+"/deployments", jsonType, `{}`).want(t, 403, "Forbidden", user+`create resource "deployments" in API group "apps"`)
}

// What a user may not do is refused with his name and what he asked for.
func TestForbidden(t *testing.T) {
	ns := namespace(t)
	out, err := try("-n", ns, "--as=jane", "get", "pods")
	if want := `Error from server (Forbidden): pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "` + ns + `"`; err == nil || !strings.Contains(out, want) {
		t.Errorf("%v %s\nwant %s", err, out, want)
	}
	kubectl(t, "-n", ns, "create", "rolebinding", "jane", "--clusterrole=view", "--user=jane")
	eventually(t, 10*time.Second, "jane may list pods", func() bool { _, err := try("-n", ns, "--as=jane", "get", "pods"); return err == nil })
	if out, err := try("-n", ns, "--as=jane", "create", "configmap", "a"); err == nil || !strings.Contains(out, `User "jane" cannot create resource "configmaps"`) {
		t.Errorf("create: %v %s", err, out)
	}
	// Nobody grants more than he has.
	kubectl(t, "-n", ns, "create", "role", "granter", "--verb=create", "--resource=roles,rolebindings")
	kubectl(t, "-n", ns, "create", "rolebinding", "granter", "--role=granter", "--user=joe")
	eventually(t, 10*time.Second, "joe may not grant", func() bool {
		out, err := try("-n", ns, "--as=joe", "create", "role", "more", "--verb=get", "--resource=secrets")
		return err != nil && strings.Contains(out, `is attempting to grant RBAC permissions not currently held`)
	})
}

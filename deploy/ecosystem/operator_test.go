package ecosystem

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An operator on controller-runtime does on Keelson what it does on Kubernetes.
func TestOperator(t *testing.T) {
	ns := namespace(t)
	startOperator(t)
	site := func(name, spec string) string {
		return "apiVersion: web.example.com/v1\nkind: Site\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
	}
	kubectl := func(args string, parts ...string) string { return prints(t, "kubectl", "-n "+ns+" "+args, parts...) }

	t.Run("defaults, owned objects, conditions", func(t *testing.T) {
		applies(t, ns, site("one", "page: hello"))
		kubectl("wait --for=condition=Ready --timeout=90s site/one", "condition met")
		kubectl("get st one -o wide", "NAME", "REPLICAS", "READY", "PAGE", "one", "1", "True", "hello")
		kubectl("get sites one -o jsonpath={.spec.image},{.metadata.labels.web\\.example\\.com/seen},{.metadata.finalizers}",
			`probe:v1,true,["web.example.com/record"]`)
		kubectl("get deployment one -o jsonpath={.metadata.ownerReferences[0].kind}", "Site")
		kubectl("describe site one", "Ready", "AllReplicasReady", "1 replicas show the page")
		prints(t, "kubectl", "-n default get configmap record-"+ns+"-one")
	})
	t.Run("what the owner says is kept", func(t *testing.T) {
		kubectl("delete deployment one --wait=true")
		eventually(t, "1", "kubectl", "-n "+ns+" get deployment one -o jsonpath={.status.readyReplicas}")
		kubectl("scale site/one --replicas=2", "scaled")
		eventually(t, "2", "kubectl", "-n "+ns+" get deployment one -o jsonpath={.status.readyReplicas}")
		kubectl("get site one -o jsonpath={.status.observedGeneration}{.metadata.generation}", "2")
		kubectl("get sites --field-selector spec.image=probe:v1 -o name", "site.web.example.com/one")
	})
	t.Run("validation", func(t *testing.T) {
		// The webhook's answer names the field; for such an answer kubectl shows only the fields.
		refuses(t, ns, site("many", "page: x, replicas: 9"), `The Site "many" is invalid: spec.replicas: Invalid value: 9: at most 5`)
		refuses(t, ns, site("typed", "page: 3"), `admission webhook "default.sites.web.example.com" denied the request: json: cannot unmarshal number`)
		refuses(t, ns, site("less", "page: x, replicas: -1"), "spec.replicas in body should be greater than or equal to 0")
		refuses(t, ns, site("rule", "page: '', replicas: 2"), "an empty page needs no replicas")
		refuses(t, ns, site("extra", "page: x, colour: red"), `strict decoding error: unknown field "spec.colour"`)
		if out := applies(t, ns, site("zero", "page: x, replicas: 0")); !strings.Contains(out, "Warning: spec.replicas: nobody will see the page") {
			t.Errorf("no warning in %s", out)
		}
		applies(t, ns, site("pinned", "page: x, replicas: 0, image: 'pinned:v1'"))
		refuses(t, ns, site("pinned", "page: x, replicas: 0, image: 'pinned:v2'"), "spec.image: Invalid value", "a pinned image stays")
	})
	t.Run("versions", func(t *testing.T) {
		out := applies(t, ns, "apiVersion: web.example.com/v1beta1\nkind: Site\nmetadata: {name: old}\nspec: {size: 1, content: {page: before}}\n")
		if !strings.Contains(out, "Warning: web.example.com/v1beta1 Site is deprecated; use v1") {
			t.Errorf("no warning in %s", out)
		}
		kubectl("get site old -o jsonpath={.apiVersion},{.spec.replicas},{.spec.page}", "web.example.com/v1,1,before")
		kubectl("get sites.v1beta1.web.example.com one -o jsonpath={.apiVersion},{.spec.size},{.spec.content.page}", "web.example.com/v1beta1,2,hello")
	})
	t.Run("explained", func(t *testing.T) {
		kubectl("explain site.spec.replicas", "GROUP:", "web.example.com", "FIELD: replicas <integer>", "Replicas that hold the page.")
		kubectl("explain site --api-version=web.example.com/v1beta1 --recursive", "content", "size")
		kubectl("api-resources --api-group=web.example.com", "sites", "st", "true", "Site")
		kubectl("get all", "site.web.example.com/one")
	})
	t.Run("deletion", func(t *testing.T) {
		kubectl("annotate site one web.example.com/protected=yes")
		if out, err := try(t, "", "kubectl", "-n", ns, "delete", "site", "one"); err == nil || !strings.Contains(out, "site one is protected") {
			t.Errorf("delete a protected site: %v\n%s", err, out)
		}
		kubectl("annotate site one web.example.com/protected-")
		kubectl("delete site one --timeout=60s", "deleted")
		for _, gone := range []string{"-n " + ns + " get deployment one --ignore-not-found -o name", "-n " + ns + " get pods -l site=one -o name",
			"-n default get configmap record-" + ns + "-one --ignore-not-found -o name"} {
			vanishes(t, gone)
		}
	})
}

// startOperator puts the definition and the webhooks in place and starts the operator; the test's end removes them.
func startOperator(t *testing.T) {
	t.Helper()
	certs := t.TempDir()
	ca := writeCertificate(t, certs)
	webhooks, probes := freePort(t), freePort(t)
	b, err := os.ReadFile("testdata/crd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	manifest := strings.NewReplacer("PORT", fmt.Sprint(webhooks), "CABUNDLE", base64.StdEncoding.EncodeToString(ca)).Replace(string(b))
	applies(t, "default", manifest)
	prints(t, "kubectl", "wait --for=condition=Established --timeout=30s crd/sites.web.example.com", "condition met")
	cmd := command(t, "../operator")
	cmd.Path = cluster.operator
	cmd.Args = []string{"operator", "--cert-dir", certs, "--webhook-port", fmt.Sprint(webhooks), "--health-probe-bind-address", fmt.Sprintf("127.0.0.1:%d", probes)}
	log, err := os.Create(filepath.Join(certs, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		prints(t, "kubectl", "delete sites --all -A --timeout=60s")
		prints(t, "kubectl", "delete --timeout=60s crd/sites.web.example.com mutatingwebhookconfiguration/sites validatingwebhookconfiguration/sites")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the operator ended: %v", err)
		}
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("the operator's log:\n%s", b)
		}
	})
	if !poll(t, time.Minute, func() bool {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", probes))
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}) {
		b, _ := os.ReadFile(log.Name())
		t.Fatalf("the operator is not ready\n%s", b)
	}
}

// writeCertificate makes a certificate for the webhooks and returns it in PEM.
func writeCertificate(t *testing.T, dir string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "webhooks"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, b := range map[string][]byte{"tls.crt": cert, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

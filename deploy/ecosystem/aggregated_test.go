package ecosystem

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// metricsAPI is a server that extends the API as metrics-server does, in a few lines: it runs beside the cluster and believes
// whom the cluster's front proxy names.
func metricsAPI(t *testing.T) (address, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"metrics.kube-system.svc"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(prints(t, "kubectl", `-n kube-system get configmap extension-apiserver-authentication -o jsonpath={.data.requestheader-client-ca-file}`)))
	l, err := net.Listen("tcp", net.JoinHostPort(hostAddress(t), "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(serveMetrics))
	s.Listener.Close()
	s.Listener = l
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}
	s.StartTLS()
	t.Cleanup(s.Close)
	return l.Addr().String(), base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// hostAddress is one of this machine's that endpoints may have.
func hostAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Fatal("this machine has no address but loopback")
	return ""
}

func serveMetrics(w http.ResponseWriter, r *http.Request) {
	const root = "/apis/metrics.k8s.io/v1beta1"
	w.Header().Set("Content-Type", "application/json")
	pod := `{"metadata":{"name":"web","namespace":"default"},"timestamp":"2026-01-01T00:00:00Z","window":"10s","containers":[{"name":"c","usage":{"cpu":"125m","memory":"64Mi"}}]}`
	switch r.URL.Path {
	case root:
		_, _ = io.WriteString(w, `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"metrics.k8s.io/v1beta1","resources":[`+
			`{"name":"nodes","singularName":"","namespaced":false,"kind":"NodeMetrics","verbs":["get","list"]},{"name":"pods","singularName":"","namespaced":true,"kind":"PodMetrics","verbs":["get","list"]}]}`)
	case root + "/namespaces/default/pods":
		_, _ = io.WriteString(w, `{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[`+pod+`]}`)
	case root + "/namespaces/default/pods/web":
		_, _ = io.WriteString(w, `{"kind":"PodMetrics","apiVersion":"metrics.k8s.io/v1beta1",`+pod[1:])
	case root + "/whoami":
		fmt.Fprintf(w, "%s %s", r.Header.Get("X-Remote-User"), strings.Join(r.Header.Values("X-Remote-Group"), ","))
	default:
		http.NotFound(w, r)
	}
}

// kubectl finds and uses an API that another server adds, and goes on where that server is away.
func TestAggregatedAPI(t *testing.T) {
	address, ca := metricsAPI(t)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	applies(t, "kube-system", fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: metrics}
spec: {ports: [{name: https, port: 443, targetPort: %s}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: metrics-1, labels: {kubernetes.io/service-name: metrics}}
addressType: IPv4
endpoints: [{addresses: ["%s"]}]
ports: [{name: https, port: %s}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  caBundle: %s
  service: {namespace: kube-system, name: metrics}
`, port, host, port, ca))
	t.Cleanup(func() {
		_, _ = try(t, "", "kubectl", "-n", "kube-system", "delete", "--ignore-not-found",
			"apiservice/v1beta1.metrics.k8s.io", "service/metrics", "endpointslice/metrics-1")
	})
	prints(t, "kubectl", "wait --for=condition=Available --timeout=60s apiservice/v1beta1.metrics.k8s.io", "condition met")
	prints(t, "kubectl", "get apiservices", "v1beta1.metrics.k8s.io", "kube-system/metrics", "Local")
	eventually(t, "PodMetrics", "kubectl", "api-resources --api-group=metrics.k8s.io")
	prints(t, "kubectl", "get --raw /apis/metrics.k8s.io/v1beta1/whoami", "kubernetes-admin system:masters")
	prints(t, "kubectl", "get pods.metrics.k8s.io -n default", "web")
	prints(t, "kubectl", "top pod -n default", "web", "125m", "64Mi")
	prints(t, "kubectl", "describe apiservice v1beta1.metrics.k8s.io", "all checks passed")

	applies(t, "kube-system", fmt.Sprintf(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: metrics-1, labels: {kubernetes.io/service-name: metrics}}
addressType: IPv4
endpoints: [{addresses: ["%s"], conditions: {ready: false}}]
ports: [{name: https, port: %s}]
`, host, port))
	prints(t, "kubectl", "wait --for=condition=Available=false --timeout=60s apiservice/v1beta1.metrics.k8s.io", "condition met")
	if out, err := try(t, "", "kubectl", "top", "pod", "-n", "default"); err == nil {
		t.Errorf("top: %s", out)
	}
	prints(t, "kubectl", "get namespaces", "kube-system")
}

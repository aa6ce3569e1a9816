package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const jsonType = "application/json"

// httpClient speaks to the API server without a client library, to send what a library would not.
type httpClient struct {
	http   *http.Client
	server string
	token  string
}

// answer of the API server; status is set when the body is one.
type answer struct {
	code   int
	header http.Header
	body   string
	status metav1.Status
}

// pki is the folder of the cluster's certificates.
func (c *cluster) pki() string { return filepath.Join(c.dir, "apiserver", "pki") }

// newHTTPClient presents a certificate, or none.
func newHTTPClient(t *testing.T, certificate *tls.Certificate) *httpClient {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(shared.pki(), "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(ca)
	if certificate != nil {
		// As a callback it is sent even when the server names other authorities.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	server := strings.TrimSpace(kubectl(t, "config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"))
	return &httpClient{http: &http.Client{Transport: transport}, server: server}
}

func adminClient(t *testing.T) *httpClient {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(shared.pki(), "admin.crt"), filepath.Join(shared.pki(), "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	return newHTTPClient(t, &pair)
}

// do sends a request. An answer must come: a server that drops the connection has failed.
func (c *httpClient) do(t *testing.T, method, path, contentType, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.server+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	out := answer{code: resp.StatusCode, header: resp.Header, body: string(b)}
	if out.code >= 400 {
		_ = json.Unmarshal(b, &out.status)
	}
	return out
}

// want checks a refusal: a Status with the code and the reason, and the parts in its message.
func (a answer) want(t *testing.T, code int, reason metav1.StatusReason, parts ...string) {
	t.Helper()
	s := a.status
	if a.code != code || s.Kind != "Status" || s.Status != metav1.StatusFailure || int(s.Code) != code || s.Reason != reason {
		t.Errorf("got HTTP %d, want %d %s; body %s", a.code, code, reason, short(a.body))
		return
	}
	for _, p := range parts {
		if !strings.Contains(s.Message, p) {
			t.Errorf("message lacks %q:\n%s", p, short(s.Message))
		}
	}
}

// short cuts a text that is too long to be read.
func short(text string) string {
	if len(text) > 900 {
		return text[:900] + "…"
	}
	return text
}

// kubectlStdin runs the built kubectl with a text on its standard input.
func kubectlStdin(stdin string, args ...string) (string, error) {
	return tryWith(filepath.Join(shared.bin, "kubectl"), stdin, args...)
}

// fetch gets a page over plain HTTP.
func fetch(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

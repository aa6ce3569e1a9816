package embed

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keelson/keelson/apiserver/internal/pki"
)

// jane may read, as a person.
func (c *cluster) jane(t *testing.T) string {
	t.Helper()
	ca, err := pki.OpenCA(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := ca.IssueUser("jane", nil, "", out, time.Hour); err != nil {
		t.Fatal(err)
	}
	code, body := c.do(t, c.admin(), "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
		`{"kind":"ClusterRoleBinding","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"jane"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"jane"}]}`)
	if code != 201 {
		t.Fatalf("%d %s", code, body)
	}
	return filepath.Join(out, "jane")
}

// raw opens a connection of HTTP/1.1 and writes to it.
func (c *cluster) raw(t *testing.T, cert, text string) *tls.Conn {
	t.Helper()
	cfg := c.tls(t, cert)
	cfg.NextProtos = []string{"http/1.1"}
	conn, err := tls.Dial("tcp", c.addresses.REST.String(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const configMaps = "/api/v1/namespaces/default/configmaps"

// Clients that stop in the middle of a header, of a body or of an answer, and hundreds of idle watches, take neither the
// memory nor the turns of the others.
func TestClientsThatStall(t *testing.T) {
	c := start(t, t.TempDir())
	jane := c.jane(t)
	data := strings.Repeat("x", 50<<10)
	for i := range 200 { // lists of 10 MB, ten times what a connection buffers
		if code, body := c.do(t, c.admin(), "POST", configMaps, fmt.Sprintf(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c%d"},"data":{"a":"%s"}}`, i, data)); code != 201 {
			t.Fatalf("%d %s", code, body)
		}
	}
	before := heap()
	for i := range 24 {
		c.raw(t, jane, "GET /api HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		c.raw(t, jane, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{", configMaps, 3<<20))
		accept := []string{"application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "application/json;as=Table;v=v1;g=meta.k8s.io"}[i%4]
		c.raw(t, jane, "GET /api/v1/configmaps?includeObject=Object HTTP/1.1\r\nHost: x\r\nAccept: "+accept+"\r\n\r\n")
	}
	c.watches(t, jane, 200)
	for range 5 {
		for _, user := range []string{jane, c.admin()} {
			if code, body := c.do(t, user, "GET", configMaps+"/c1", ""); code != 200 {
				t.Fatalf("%d %.500s", code, body)
			}
		}
	}
	if code, body := c.do(t, jane, "POST", configMaps, `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"mine"}}`); code != 201 {
		t.Errorf("%d %s", code, body)
	}
	// Held whole, the lists alone would be 500 MB.
	if after := heap(); after > before+150<<20 {
		t.Errorf("%d MB are held", (after-before)>>20)
	}
}

// watches opens watches over HTTP/2 that see nothing.
func (c *cluster) watches(t *testing.T, cert string, n int) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: c.tls(t, cert), ForceAttemptHTTP2: true}
	ctx, cancel := context.WithCancel(t.Context())
	var ready, done sync.WaitGroup
	t.Cleanup(func() { cancel(); done.Wait(); transport.CloseIdleConnections() })
	for range n {
		ready.Add(1)
		done.Go(func() {
			r, err := http.NewRequestWithContext(ctx, "GET", "https://"+c.addresses.REST.String()+"/api/v1/namespaces/none/configmaps?watch=1&resourceVersion=0", http.NoBody)
			if err != nil {
				t.Error(err)
			}
			resp, err := transport.RoundTrip(r)
			ready.Done()
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body)
		})
	}
	ready.Wait()
}

// What is too much or makes no sense is refused at once, and named.
func TestHostileRequests(t *testing.T) {
	c := start(t, t.TempDir())
	if code, body := c.do(t, c.admin(), "POST", configMaps, `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},"data":{"a":"b"}}`); code != 201 {
		t.Fatalf("%d %s", code, body)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(make([]byte, 50<<20))
	_ = z.Close()
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i <= 'j'; i++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", i-1), 9), ","))
	}
	copies := `[{"op":"add","path":"/metadata/annotations","value":{"a":"` + strings.Repeat("x", 1000) + `"}}`
	for i := range 40 {
		copies += fmt.Sprintf(`,{"op":"copy","from":"/metadata/annotations","path":"/metadata/annotations/k%d"}`, i)
	}
	forged := func(revision int) string {
		return fmt.Sprintf("%s?limit=1&continue=%s", configMaps, base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"v":"meta.k8s.io/v1","rv":%d,"start":"x"}`, revision)))
	}
	const js, yml, jsonPatch = "application/json", "application/yaml", "application/json-patch+json"
	for _, tt := range []struct {
		name, method, path, header, body string
		code                             int
		want                             string
	}{
		{"long body", "POST", configMaps, js, strings.Repeat(" ", 4<<20), 413, "Request entity too large: limit is 3145728"},
		{"deep JSON", "POST", configMaps, js, strings.Repeat(`{"a":`, 500_000), 400, "exceeded max depth"},
		{"packed", "POST", configMaps, js + "\r\nContent-Encoding: gzip", zipped.String(), 415, "content encoding"},
		{"aliases", "POST", configMaps, yml, bomb, 400, "excessive aliasing"},
		{"deep YAML", "POST", configMaps, yml, strings.Repeat("[", 1<<20), 400, "exceeded max depth"},
		{"many operations", "PATCH", configMaps + "/x", jsonPatch, "[" + strings.TrimSuffix(strings.Repeat(`{"op":"test","path":"/data/a","value":"b"},`, 10_001), ",") + "]", 413,
			"The allowed maximum operations in a JSON patch is 10000, got 10001"},
		{"copies of copies", "PATCH", configMaps + "/x", jsonPatch, copies + "]", 422, "exceeding the limit"},
		{"deep patch", "PATCH", configMaps + "/x", "application/merge-patch+json", strings.Repeat(`{"a":`, 300_000) + "1" + strings.Repeat("}", 300_000), 400, "exceeded max depth"},
		{"token of the future", "GET", forged(1 << 40), js, "", 504, "Too large resource version"},
		{"token of nothing", "GET", configMaps + "?limit=1&continue=%25%25", js, "", 400, "continue key is not valid"},
		{"long URL", "GET", "/api/v1/" + strings.Repeat("a/", 80<<10), js, "", 404, "could not find the requested resource"},
		{"long header", "GET", "/api", js + "\r\nX-Long: " + strings.Repeat("a", 1<<20), "", 431, ""},
		{"both lengths", "POST", configMaps, js + "\r\nTransfer-Encoding: chunked", "zz\r\n\r\n", 400, ""},
		{"upgrade to nothing", "GET", "/api/v1/namespaces/default/pods/p/exec?command=x&stdout=1", js + "\r\nConnection: Upgrade\r\nUpgrade: websocket", "", 404, ""},
		{"half an upgrade", "GET", "/api/v1/pods?watch=1", js + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x", "", 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The server may answer before it has read everything.
			cfg := c.tls(t, c.admin())
			cfg.NextProtos = []string{"http/1.1"}
			conn, err := tls.Dial("tcp", c.addresses.REST.String(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			written := make(chan struct{})
			go func() {
				defer close(written)
				_, _ = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nContent-Type: %s\r\n\r\n%s", tt.method, tt.path, len(tt.body), tt.header, tt.body)
			}()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tt.code || !strings.Contains(string(body), tt.want) {
				t.Errorf("%d %.500s", resp.StatusCode, body)
			}
			conn.Close()
			<-written
		})
	}
	if code, body := c.do(t, c.admin(), "GET", configMaps+"/x", ""); code != 200 {
		t.Errorf("afterwards: %d %s", code, body)
	}
}

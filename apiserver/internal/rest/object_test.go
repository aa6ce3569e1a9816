package rest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/rest/envelope"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

const configMaps = "/api/v1/namespaces/default/configmaps"

func TestLifeOfAnObject(t *testing.T) {
	srv := start(t)
	a := do(t, srv, "POST", configMaps, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n", "Content-Type", "application/yaml", "Accept", "application/yaml")
	if a.StatusCode != 201 || !strings.Contains(a.body, "a: b") || a.Header.Get("Content-Type") != "application/yaml" {
		t.Fatalf("create: %d %s", a.StatusCode, a.body)
	}
	a = do(t, srv, "POST", configMaps, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`)
	if s := decodeStatus(t, a); s.Code != 409 || s.Message != `configmaps "c" already exists` {
		t.Errorf("%+v", s)
	}
	a = do(t, srv, "PATCH", configMaps+"/c", `{"data":{"x":"y"}}`, "Content-Type", "application/merge-patch+json", "User-Agent", "mytool/v1 (linux)")
	if a.StatusCode != 200 || !strings.Contains(a.body, `"x":"y"`) || !strings.Contains(a.body, `"manager":"mytool"`) {
		t.Errorf("patch: %d %s", a.StatusCode, a.body)
	}
	a = do(t, srv, "PATCH", configMaps+"/new?fieldManager=me", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n", "Content-Type", "application/apply-patch+yaml")
	if a.StatusCode != 201 {
		t.Errorf("apply: %d %s", a.StatusCode, a.body)
	}
	a = do(t, srv, "PUT", configMaps+"/c?dryRun=All", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","resourceVersion":"1"}}`)
	if s := decodeStatus(t, a); s.Reason != "Conflict" {
		t.Errorf("%+v", s)
	}
	a = do(t, srv, "GET", configMaps+"/c", "", "Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
	if !strings.Contains(a.body, `"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1"`) || strings.Contains(a.body, `"data"`) {
		t.Errorf("metadata: %s", a.body)
	}
	a = do(t, srv, "DELETE", configMaps+"/c", `{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"other"}}`)
	if s := decodeStatus(t, a); s.Reason != "Conflict" {
		t.Errorf("%+v", s)
	}
	a = do(t, srv, "DELETE", configMaps+"/c?gracePeriodSeconds=0", "")
	if !strings.Contains(a.body, `"status":"Success"`) || !strings.Contains(a.body, `"uid":"`) || a.StatusCode != 200 {
		t.Errorf("delete: %d %s", a.StatusCode, a.body)
	}
	a = do(t, srv, "DELETE", configMaps, "")
	if a.StatusCode != 200 || !strings.Contains(a.body, `"kind":"ConfigMapList"`) || !strings.Contains(a.body, `"name":"new"`) {
		t.Errorf("delete collection: %d %s", a.StatusCode, a.body)
	}
}

func TestWarnings(t *testing.T) {
	srv := start(t)
	a := do(t, srv, "POST", configMaps+"?dryRun=All", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"foo":1,"data":{"a":"1","a":"2"}}`)
	if a.StatusCode != 201 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	want := []string{`299 - "unknown field \"foo\""`, `299 - "duplicate field \"data.a\""`}
	got := a.Header.Values("Warning")
	for _, w := range want {
		if !strings.Contains(strings.Join(got, "\n"), w) {
			t.Errorf("warnings %q lack %q", got, w)
		}
	}
	a = do(t, srv, "POST", configMaps+"?dryRun=All", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"C"},"foo":1}`)
	if got := a.Header.Values("Warning"); a.StatusCode != 422 || len(got) != 1 || got[0] != want[0] {
		t.Errorf("a refusal: %d with warnings %q", a.StatusCode, got)
	}
	if a := do(t, srv, "POST", configMaps+"?dryRun=All&fieldValidation=Ignore", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"foo":1}`); len(a.Header.Values("Warning")) > 0 {
		t.Errorf("warnings although ignored: %q", a.Header.Values("Warning"))
	}
}

// Objects, lists and watch frames in Kubernetes' protobuf decode into what was stored.
func TestProtobuf(t *testing.T) {
	srv := start(t)
	const protobuf = "application/vnd.kubernetes.protobuf"
	raw, err := proto.Marshal(&corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Name: "c"}, Data: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	a := do(t, srv, "POST", configMaps, string(envelope.Append(nil, "v1", "ConfigMap", raw)), "Content-Type", protobuf, "Accept", protobuf)
	o, err := envelope.Parse([]byte(a.body))
	if err != nil {
		t.Fatal(err)
	}
	var m corev1.ConfigMap
	if err := proto.Unmarshal(o.Raw, &m); err != nil || o.Kind != "ConfigMap" || m.GetData()["a"] != "b" || m.GetMetadata().GetResourceVersion() == "" {
		t.Errorf("%v %+v %v", err, o, &m)
	}
	a = do(t, srv, "GET", configMaps, "", "Accept", protobuf)
	if o, err = envelope.Parse([]byte(a.body)); err != nil {
		t.Fatal(err)
	}
	var l corev1.ConfigMapList
	if err := proto.Unmarshal(o.Raw, &l); err != nil || o.Kind != "ConfigMapList" || len(l.GetItems()) != 1 || l.GetMetadata().GetResourceVersion() == "" {
		t.Errorf("%v %+v", err, &l)
	}
	a = do(t, srv, "GET", configMaps+"/nothing", "", "Accept", protobuf)
	if o, err = envelope.Parse([]byte(a.body)); err != nil || o.Kind != "Status" {
		t.Errorf("%v %+v", err, o)
	}
	a = do(t, srv, "GET", configMaps+"?watch=1&timeoutSeconds=1", "", "Accept", protobuf)
	if ct := a.Header.Get("Content-Type"); ct != protobuf+";stream=watch" {
		t.Errorf("content type %q", ct)
	}
	frame := []byte(a.body)
	n := binary.BigEndian.Uint32(frame)
	var ev metav1.WatchEvent
	if err := proto.Unmarshal(frame[4:4+n], &ev); err != nil || ev.GetType() != "ADDED" {
		t.Fatalf("%v %+v", err, &ev)
	}
	if o, err = envelope.Parse(ev.GetObject().GetRaw()); err != nil || o.Kind != "ConfigMap" {
		t.Errorf("%v %+v", err, o)
	}
}

func TestLongListIsCompressedAndComplete(t *testing.T) {
	srv := start(t)
	for i := range 40 {
		a := do(t, srv, "POST", configMaps, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c%d"},"data":{"k":%q}}`, i, strings.Repeat("x", 5000)))
		if a.StatusCode != 201 {
			t.Fatal(a.body)
		}
	}
	var plain struct{ Items []any }
	a := do(t, srv, "GET", configMaps, "", "Accept-Encoding", "identity")
	if err := json.Unmarshal([]byte(a.body), &plain); err != nil || len(plain.Items) != 40 {
		t.Fatalf("%v: %d items", err, len(plain.Items))
	}
	z := do(t, srv, "GET", configMaps, "", "Accept-Encoding", "gzip")
	if z.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("not compressed: %v", z.Header)
	}
	r, err := gzip.NewReader(strings.NewReader(z.body))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != a.body {
		t.Errorf("%v: %d bytes, want %d", err, len(b), len(a.body))
	}
	if s := do(t, srv, "GET", configMaps+"/c1", "", "Accept-Encoding", "gzip"); s.Header.Get("Content-Encoding") != "" || s.Header.Get("Content-Length") == "" {
		t.Errorf("a short answer: %v", s.Header)
	}
	// Chunks cover the same.
	names, token := map[string]bool{}, ""
	for {
		var page struct {
			Metadata struct{ Continue string }
			Items    []struct{ Metadata struct{ Name string } }
		}
		a := do(t, srv, "GET", configMaps+"?limit=7&continue="+token, "")
		if err := json.Unmarshal([]byte(a.body), &page); err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			names[i.Metadata.Name] = true
		}
		if token = page.Metadata.Continue; token == "" {
			break
		}
	}
	if len(names) != 40 {
		t.Errorf("%d names in chunks", len(names))
	}
}

func TestWatch(t *testing.T) {
	srv := start(t)
	r, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+configMaps+"?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-User", "admin")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	next := func() (typ string, object map[string]any) {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var ev struct {
			Type   string
			Object map[string]any
		}
		if err := json.Unmarshal(line, &ev); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		return ev.Type, ev.Object
	}
	if typ, o := next(); typ != "BOOKMARK" || !bytes.Contains(fmt.Append(nil, o), []byte("k8s.io/initial-events-end:true")) {
		t.Fatalf("%s %v", typ, o)
	}
	for _, step := range []struct{ method, path, contentType, body, want string }{
		{"POST", configMaps, "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`, "ADDED"},
		{"PATCH", configMaps + "/c", "application/merge-patch+json", `{"data":{"a":"b"}}`, "MODIFIED"},
		{"DELETE", configMaps + "/c", "", "", "DELETED"},
	} {
		if a := do(t, srv, step.method, step.path, step.body, "Content-Type", step.contentType); a.StatusCode > 299 {
			t.Fatal(a.body)
		}
		if typ, _ := next(); typ != step.want {
			t.Errorf("%s, want %s", typ, step.want)
		}
	}
}

// A watch from a version that is forgotten begins, and ends with the event that says so.
func TestWatchFromTooOldAVersion(t *testing.T) {
	srv := start(t, func(c *pipeline.Config) { c.WatchHistory = 2 })
	for i := range 5 {
		body := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c%d"}}`, i)
		do(t, srv, "POST", configMaps, body, "Content-Type", "application/json")
	}
	do(t, srv, "GET", configMaps, "") // the cache has seen them
	a := do(t, srv, "GET", configMaps+"?watch=1&resourceVersion=1&timeoutSeconds=5", "")
	if a.StatusCode != 200 || !strings.Contains(a.body, `{"type":"ERROR","object":{"kind":"Status"`) || !strings.Contains(a.body, `"reason":"Expired","code":410`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestReviewsAreNoTables(t *testing.T) {
	a := do(t, start(t), "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", `{"spec":{"nonResourceAttributes":{"path":"/","verb":"get"}}}`,
		"Content-Type", "application/json", "Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	if a.StatusCode != 406 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// A client that sends half a body is not waited for longer than a request may take.
func TestHalfABody(t *testing.T) {
	s := door(t, Config{RequestTimeout: time.Millisecond})
	s.slack = 50 * time.Millisecond
	srv := httptest.NewServer(s)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-User: admin\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", configMaps)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// An answer or the end of the connection, but not silence.
	if _, err := bufio.NewReader(conn).ReadByte(); err != nil && !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

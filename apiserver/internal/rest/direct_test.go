package rest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keelson/keelson/apiserver/internal/rest/h2"
)

// startH2 serves over HTTP/2, where a dispatcher writes events.
func startH2(t *testing.T) *httptest.Server {
	t.Helper()
	s := handler(t)
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	certs.Close()
	web := &http.Server{Handler: s, TLSConfig: &tls.Config{Certificates: certs.TLS.Certificates, MinVersion: tls.VersionTLS13}}
	server := h2.Configure(web)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- web.ServeTLS(h2.Listen(l), "", "") }()
	t.Cleanup(func() {
		end(t, s)
		_ = web.Close()
		<-served
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			t.Errorf("goroutines are left: %v", err)
		}
	})
	return &httptest.Server{URL: "https://" + l.Addr().String()}
}

// h2Client has a connection of its own.
func h2Client(t *testing.T) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// seen is an event as all encodings show it.
type seen struct{ typ, name, revision string }

var inJSON = regexp.MustCompile(`"(name|resourceVersion)":"([a-z0-9]+)"`) // columns have capitals

// jsonEvent reads an event of a watch in JSON, of whatever kind the object is.
func jsonEvent(r *bufio.Reader) (s seen, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return s, err
	}
	var e struct {
		Type   string
		Object json.RawMessage
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return s, fmt.Errorf("%.100s: %w", line, err)
	}
	s.typ = e.Type
	for _, m := range inJSON.FindAllSubmatch(withoutData(e.Object), -1) {
		switch {
		case string(m[1]) == "name" && s.name == "":
			s.name = string(m[2])
		case string(m[1]) == "resourceVersion":
			s.revision = string(m[2])
		}
	}
	return s, nil
}

// withoutData leaves out what the test fills objects with.
func withoutData(b []byte) []byte { return bytes.ReplaceAll(b, []byte(filler), nil) }

var filler = strings.Repeat("d", 500)

// protobufEvent reads one in protobuf: a length, then type, and the object in its envelope.
func protobufEvent(r *bufio.Reader) (s seen, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return s, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(r, b); err != nil {
		return s, err
	}
	s.typ = string(field(b, 1))
	metadata := field(field(field(field(b, 2), 1)[4:], 2), 1)
	s.name, s.revision = string(field(metadata, 1)), string(field(metadata, 6))
	return s, nil
}

// field returns the last value of a field: metadata may come in pieces, of which the resource version is one.
func field(b []byte, n protowire.Number) (value []byte) {
	for len(b) > 0 {
		num, _, tag := protowire.ConsumeTag(b)
		v, size := protowire.ConsumeBytes(b[max(tag, 0):])
		if tag < 0 || size < 0 {
			size = protowire.ConsumeFieldValue(num, protowire.VarintType, b[max(tag, 0):])
			if tag < 0 || size < 0 {
				return value
			}
		} else if num == n {
			value = append(value, v...)
		}
		b = b[tag+size:]
	}
	return value
}

// Watches in all forms, alone on a connection or with others, show the same events in the same order, those that are
// brought to them directly and those that are not.
func TestWatchersSeeTheSame(t *testing.T) {
	const changes = 80
	srv := startH2(t)
	forms := map[string]func(*bufio.Reader) (seen, error){
		"application/json": jsonEvent,
		"application/vnd.kubernetes.protobuf;stream=watch":             protobufEvent,
		"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1": jsonEvent,
		"application/json;as=Table;g=meta.k8s.io;v=v1":                 jsonEvent,
	}
	shared := h2Client(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var mu sync.Mutex
	got := map[string][]seen{}
	var watchers sync.WaitGroup
	for accept, next := range forms {
		for i := range 6 {
			c := shared
			if i%2 == 0 {
				c = h2Client(t)
			}
			r, err := http.NewRequestWithContext(ctx, "GET", srv.URL+configMaps+"?watch=true&resourceVersion=1", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", accept)
			r.Header.Set("X-User", "admin")
			resp, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
				t.Fatalf("%s: %s", accept, resp.Status)
			}
			watchers.Go(func() {
				defer resp.Body.Close()
				in := bufio.NewReader(resp.Body)
				var all []seen
				for len(all) == 0 || all[len(all)-1].name != "last" {
					e, err := next(in)
					if err != nil {
						t.Errorf("%s: after %d events: %v", accept, len(all), err)
						return
					}
					all = append(all, e)
				}
				mu.Lock()
				defer mu.Unlock()
				got[fmt.Sprint(accept, i)] = all
			})
		}
	}
	send := func(method, path, body string, header ...string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-User", "admin")
		r.Header.Set("Content-Type", append(header, "application/json")[0])
		resp, err := shared.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
			t.Fatalf("%s %s: %s: %s", method, path, resp.Status, b)
		}
	}
	create := func(name string, size int) {
		send("POST", configMaps, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q},"data":{"d":%q}}`, name, strings.Repeat(filler, size/len(filler))))
	}
	for i := range changes {
		name := fmt.Sprint("c", i)
		create(name, []int{10, 5000, 20000, 10, 5000, 5000, 200000}[i%7])
		if i%3 == 0 {
			send("PATCH", configMaps+"/"+name, `{"data":{"x":"y"}}`, "application/merge-patch+json")
		}
		if i%5 == 0 {
			send("DELETE", configMaps+"/"+name, "")
		}
	}
	create("last", 1)
	watchers.Wait()
	var want string
	for who, all := range got {
		if want == "" {
			want = fmt.Sprint(all)
		}
		if have := fmt.Sprint(all); have != want || !strings.Contains(want, "MODIFIED") || !strings.Contains(want, "DELETED") {
			t.Errorf("%s saw %d events:\n%.300s\nothers:\n%.300s", who, len(all), have, want)
		}
	}
}

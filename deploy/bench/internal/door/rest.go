package door

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
)

// REST is Kubernetes' HTTP API through net/http: HTTP/2 on one connection, as client-go has it, or HTTP/1.1 with one
// connection for each worker.
type REST struct {
	base  string
	enc   encoding
	tls   *tls.Config
	http1 bool
	http  *http.Client
}

// NewREST returns a door to the server at an address. Protobuf chooses the encoding.
func NewREST(address string, c Credentials, protobuf, http1 bool) (*REST, error) {
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, err
	}
	d := &REST{base: "https://" + address, enc: jsonEncoding, http1: http1,
		tls: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{pair}}}
	if !d.tls.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", c.CA)
	}
	if protobuf {
		d.enc = protobufEncoding
	}
	d.http = d.client()
	return d, nil
}

// client has connections of its own.
func (d *REST) client() *http.Client {
	const workers = 64
	t := &http.Transport{TLSClientConfig: d.tls.Clone(), ForceAttemptHTTP2: !d.http1, MaxIdleConnsPerHost: workers,
		DisableCompression: true, ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10}
	if d.http1 {
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return &http.Client{Transport: t}
}

// Name implements Door.
func (d *REST) Name() string { return "REST " + d.enc.name }

// Close implements Door.
func (d *REST) Close() { d.http.CloseIdleConnections() }

func (d *REST) url(namespace, name, labels string) string {
	u := d.base + "/api/v1/namespaces/" + namespace + "/pods"
	if name != "" {
		u += "/" + name
	}
	if labels != "" {
		u += "?labelSelector=" + url.QueryEscape(labels)
	}
	return u
}

// open sends a request and returns the response if it succeeded. The caller closes its body.
func (d *REST) open(ctx context.Context, c *http.Client, method, url, accept, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", userAgent)
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return nil, fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, text)
	}
	return resp, nil
}

// do makes a request in the door's encoding and copies what it returns.
func (d *REST) do(ctx context.Context, method, url string, body []byte, into io.Writer) error {
	return d.send(ctx, method, url, d.enc.contentType, body, into)
}

// send is do with a body of another type.
func (d *REST) send(ctx context.Context, method, url, contentType string, body []byte, into io.Writer) error {
	resp, err := d.open(ctx, d.http, method, url, d.enc.contentType, contentType, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(into, resp.Body)
	return err
}

// Creator implements Door.
func (d *REST) Creator(namespace string, n int) (func(context.Context, int) error, error) {
	bodies := make([][]byte, n)
	for i := range bodies {
		var err error
		if bodies[i], err = d.enc.pod(namespace, i); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, i int) error {
		return d.do(ctx, http.MethodPost, d.url(namespace, "", ""), bodies[i], io.Discard)
	}, nil
}

// Get implements Door.
func (d *REST) Get(ctx context.Context, namespace, name string) (Held, error) {
	h := &heldBytes{door: d, url: d.url(namespace, name, "")}
	if err := d.do(ctx, http.MethodGet, h.url, nil, &h.body); err != nil {
		return nil, err
	}
	return h, nil
}

// heldBytes is a pod as the server has encoded it: it is changed in place and sent back.
type heldBytes struct {
	door *REST
	url  string
	body bytes.Buffer
}

// Update implements Held.
func (h *heldBytes) Update(ctx context.Context, mark time.Time) error {
	// The request may still be read when its response comes; so what it sends is not what the response is put into.
	body := bytes.Clone(h.body.Bytes())
	if !pods.Stamp(body, mark) {
		return fmt.Errorf("%s has lost its mark", h.url)
	}
	h.body.Reset()
	return h.door.do(ctx, http.MethodPut, h.url, body, &h.body)
}

// Size implements Held.
func (h *heldBytes) Size() int { return h.body.Len() }

// List implements Door.
func (d *REST) List(ctx context.Context, namespace, labels string) (Listed, error) {
	var c pods.Counter
	err := d.do(ctx, http.MethodGet, d.url(namespace, "", labels), nil, &c)
	return Listed{Pods: c.Pods, Bytes: c.Bytes}, err
}

// DeleteCollection implements Door.
func (d *REST) DeleteCollection(ctx context.Context, namespace, labels string) error {
	return d.do(ctx, http.MethodDelete, d.url(namespace, "", labels), nil, io.Discard)
}

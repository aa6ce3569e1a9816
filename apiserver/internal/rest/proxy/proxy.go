// Package proxy serves the proxy subresources of pods, services and nodes: a request below them is sent on to the
// pod, to an endpoint of the service or to the kubelet, and its answer comes back. Nodes open no port to be managed, so
// the connection goes through the tunnel that each node's kubelet keeps open.
//
//	client ── API server ── tunnel session (gRPC) ── kubelet ── pod
package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Objects reads what a request is sent on to, on the server's own behalf: who may use a service through the proxy need
// not be allowed to read its endpoints.
type Objects interface {
	Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	Service(ctx context.Context, namespace, name string) (*corev1.Service, error)
	Node(ctx context.Context, name string) (*corev1.Node, error)
	// Slices are the EndpointSlices of a service.
	Slices(ctx context.Context, namespace, service string) ([]*discoveryv1.EndpointSlice, error)
}

// Config is what the handler needs.
type Config struct {
	Objects Objects
	// Open starts an operation on a node.
	Open podstream.Open
	// Dial connects to endpoints that are no pods; nil is the system's.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *zap.Logger
}

// Handler sends requests on. Authorization has happened before.
type Handler struct{ cfg Config }

// New returns a handler.
func New(cfg Config) *Handler {
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	return &Handler{cfg: cfg}
}

// dialTimeout bounds how long a connection may take to stand.
const dialTimeout = 30 * time.Second

// flushInterval is how long an answer's bytes may be held back.
const flushInterval = 200 * time.Millisecond

// Serves tells whether a subresource is this package's.
func Serves(k *schema.Kind, subresource string) bool {
	return subresource == "proxy" && k.Group == "" && (k.Plural == "pods" || k.Plural == "services" || k.Plural == "nodes")
}

// Verb is the verb by which a method is authorized.
func Verb(method string) (string, bool) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return "get", true
	case http.MethodPost:
		return "create", true
	case http.MethodPut:
		return "update", true
	case http.MethodPatch:
		return "patch", true
	case http.MethodDelete:
		return "delete", true
	}
	return "", false
}

// Serve sends a request on. An error is to be answered by the caller.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, plural, namespace, id string) error {
	to, err := h.resolve(r.Context(), plural, namespace, id)
	if err != nil {
		return err
	}
	prefix, path := split(r.URL.EscapedPath())
	if path == "" && !upgrade(r) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		// Relative links of the page must lead below the proxy.
		target := r.URL.EscapedPath() + "/"
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusMovedPermanently)
		return nil
	}
	location := &url.URL{Scheme: to.scheme, Host: to.host, RawQuery: r.URL.RawQuery}
	if location.Path, err = url.PathUnescape(path); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	location.RawPath = path
	if path == "" {
		location.Path, location.RawPath = "/", ""
	}
	// Not the transport's dialling context, which ends once the connection stands.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	transport := &http.Transport{
		DialContext: func(_ context.Context, _, _ string) (net.Conn, error) { return to.dial(ctx) },
		// Nobody can vouch for a pod's certificate; whoever can reach the proxy trusts the pod.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as documented for https: names
		DisableKeepAlives: !upgrade(r), DisableCompression: true, TLSHandshakeTimeout: dialTimeout,
	}
	defer transport.CloseIdleConnections()
	rewrite := &rewriter{prefix: prefix, inner: transport}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL, p.Out.Host = location, r.Host
			p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
			p.SetXForwarded()
			forget(p.Out.Header)
		},
		Transport: rewrite, FlushInterval: flushInterval, ErrorLog: log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			var status *apierrors.StatusError
			if !errors.As(err, &status) {
				err = apierrors.NewServiceUnavailable(fmt.Sprintf("error trying to reach service: %v", err))
			}
			respond.Error(w, r, err)
		},
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Del("Audit-Id") // this server has said its own
			return nil
		},
	}
	proxy.ServeHTTP(w, r)
	return nil
}

// upgrade tells whether the request wants another protocol on its connection.
func upgrade(r *http.Request) bool {
	for _, v := range r.Header.Values("Connection") {
		for _, token := range strings.Split(v, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "upgrade") {
				return r.Header.Get("Upgrade") != ""
			}
		}
	}
	return false
}

// forget takes off what says who the user is: it is this server's business alone.
func forget(h http.Header) {
	h.Del("Authorization")
	for key := range h {
		if strings.HasPrefix(key, "Impersonate-") || strings.HasPrefix(key, "X-Remote-") {
			h.Del(key)
		}
	}
	if kept := withoutToken(h.Values("Sec-Websocket-Protocol")); len(kept) > 0 {
		h["Sec-Websocket-Protocol"] = kept
	} else {
		h.Del("Sec-Websocket-Protocol")
	}
}

// tokenProtocol is the WebSocket protocol in which browsers send a token.
const tokenProtocol = "base64url.bearer.authorization.k8s.io."

func withoutToken(values []string) []string {
	var kept []string
	for _, v := range values {
		for _, p := range strings.Split(v, ",") {
			if p = strings.TrimSpace(p); p != "" && !strings.HasPrefix(p, tokenProtocol) {
				kept = append(kept, p)
			}
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return []string{strings.Join(kept, ", ")}
}

// split divides an escaped path behind its segment "proxy", which follows the object's name.
func split(path string) (prefix, rest string) {
	segments := 5 // /api/v1/nodes/n/proxy
	if strings.HasPrefix(path, "/api/v1/namespaces/") {
		segments = 7 // /api/v1/namespaces/ns/pods/p/proxy
	}
	at := 0
	for range segments {
		i := strings.IndexByte(path[at+1:], '/')
		if i < 0 {
			return path, ""
		}
		at += i + 1
	}
	return path[:at], path[at:]
}

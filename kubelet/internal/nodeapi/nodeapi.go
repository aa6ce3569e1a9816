// Package nodeapi is the kubelet's own HTTP handlers, which clients reach below /api/v1/nodes/<name>/proxy: the node
// opens no port, so each connection comes through the tunnel. Whoever gets here was allowed nodes/proxy by the API
// server.
package nodeapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/kubelet/internal/logs"
	"github.com/keelson/keelson/kubelet/internal/pods"
	"github.com/keelson/keelson/kubelet/internal/stats"
)

// Config is what the handlers show.
type Config struct {
	Node string
	Pods interface {
		Pods() []*corev1.Pod
		Find(namespace, name, uid string) (*pods.View, error)
	}
	// Stats returns the usage of node and pods.
	Stats *stats.Collector
	// Health, Metrics serve /healthz and /metrics.
	Health, Metrics http.Handler
}

// Handler serves the kubelet's paths.
type Handler struct {
	cfg Config
	mux *http.ServeMux
}

// New returns the handler.
func New(cfg Config) *Handler {
	h := &Handler{cfg: cfg, mux: http.NewServeMux()}
	if cfg.Health != nil {
		h.mux.Handle("GET /healthz", cfg.Health)
		h.mux.Handle("GET /healthz/", cfg.Health)
	}
	if cfg.Metrics != nil {
		h.mux.Handle("GET /metrics", cfg.Metrics)
	}
	h.mux.HandleFunc("GET /pods", h.pods)
	h.mux.HandleFunc("GET /pods/{$}", h.pods)
	h.mux.HandleFunc("GET /runningpods/", h.runningPods)
	h.mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", h.logs)
	if cfg.Stats != nil {
		h.mux.HandleFunc("GET /stats/summary", h.summary)
		h.mux.HandleFunc("GET /metrics/resource", h.resourceMetrics)
	}
	for _, path := range []string{"/exec/", "/attach/", "/portForward/", "/run/"} {
		h.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "this kubelet does not serve "+path+": use the subresources exec, attach and portforward of pods", http.StatusNotFound)
		})
	}
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// headerTimeout bounds how long a client may take to send a request's header.
const headerTimeout = 30 * time.Second

// ServeConn serves one connection until it is closed or ctx ends.
func (h *Handler) ServeConn(ctx context.Context, conn net.Conn) error {
	l := newOnce(conn)
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed || state == http.StateHijacked {
				_ = l.Close()
			}
		},
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// once is a listener of one connection: after it, Accept waits for Close.
type once struct {
	conn   chan net.Conn
	ctx    context.Context
	cancel context.CancelFunc
}

func newOnce(c net.Conn) *once {
	l := &once{conn: make(chan net.Conn, 1)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.conn <- c
	return l
}

func (l *once) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (l *once) Close() error {
	l.cancel()
	return nil
}

func (*once) Addr() net.Addr { return &net.UnixAddr{Name: "tunnel", Net: "unix"} }

func (h *Handler) pods(w http.ResponseWriter, _ *http.Request) { list(w, h.cfg.Pods.Pods()) }

func (h *Handler) runningPods(w http.ResponseWriter, _ *http.Request) {
	var running []*corev1.Pod
	for _, p := range h.cfg.Pods.Pods() {
		for _, c := range p.GetStatus().GetContainerStatuses() {
			if c.GetState().GetRunning() != nil {
				running = append(running, p)
				break
			}
		}
	}
	list(w, running)
}

// list answers with a PodList.
func list(w http.ResponseWriter, all []*corev1.Pod) {
	wire := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), nil) // metadata
	for _, p := range all {
		b, err := proto.Marshal(p)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		wire = protowire.AppendBytes(protowire.AppendTag(wire, 2, protowire.BytesType), b)
	}
	out, err := codec.For((&corev1.PodList{}).ProtoReflect().Descriptor()).AppendJSON(nil, wire, codec.EncodeOptions{APIVersion: "v1", Kind: "PodList"})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out)
}

// logs writes a container's log.
func (h *Handler) logs(w http.ResponseWriter, r *http.Request) {
	view, err := h.cfg.Pods.Find(r.PathValue("namespace"), r.PathValue("pod"), "")
	if err != nil {
		http.Error(w, fmt.Sprintf("pod %q does not exist", r.PathValue("pod")), http.StatusNotFound)
		return
	}
	c, err := view.Container(r.PathValue("container"))
	if err != nil {
		http.Error(w, fmt.Sprintf("container %q not found in pod %q", r.PathValue("container"), r.PathValue("pod")), http.StatusNotFound)
		return
	}
	q := r.URL.Query()
	flag := func(key string) bool { return q.Has(key) && q.Get(key) != "false" && q.Get(key) != "0" }
	path := c.LogPath
	if flag("previous") {
		path = c.PreviousLogPath
	}
	if path == "" {
		http.Error(w, fmt.Sprintf("container %q in pod %q has no log", c.Name, view.Name), http.StatusBadRequest)
		return
	}
	o := logs.Options{Timestamps: flag("timestamps"), Follow: flag("follow") && !flag("previous") && c.Running, Done: c.Ended}
	for key, to := range map[string]**int64{"tailLines": &o.TailLines, "limitBytes": &o.LimitBytes} {
		if v := q.Get(key); v != "" {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil || n < 0 {
				http.Error(w, fmt.Sprintf("invalid %s %q", key, v), http.StatusBadRequest)
				return
			}
			*to = &n
		}
	}
	if v := q.Get("sinceSeconds"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n <= 0 {
			http.Error(w, fmt.Sprintf("invalid sinceSeconds %q", v), http.StatusBadRequest)
			return
		}
		o.Since = time.Now().Add(-time.Duration(n) * time.Second)
	}
	w.Header().Set("Content-Type", "text/plain")
	out := io.Writer(w)
	if o.Follow {
		out = flushing{w}
		_ = http.NewResponseController(w).Flush()
	}
	if err := logs.Read(r.Context(), path, o, out, out); err != nil && !errors.Is(err, os.ErrNotExist) {
		panic(http.ErrAbortHandler) // a log that breaks off must not look complete
	}
}

// flushing hands each write to the connection.
type flushing struct{ w http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = http.NewResponseController(f.w).Flush()
	}
	return n, err
}

package podstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/moby/spdystream"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream/spdy"
	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

// forwardProtocol is what is spoken on SPDY: for each connection the client opens a data and an error stream with the
// port and a request id in their headers.
const forwardProtocol = "portforward.k8s.io"

// pairTimeout bounds how long one of the two streams waits for the other.
const pairTimeout = 30 * time.Second

// maxForwarded bounds the connections of one port-forward at a time.
const maxForwarded = 512

// portForward joins TCP connections of the user's machine with ports of the pod.
func (h *Handler) portForward(w http.ResponseWriter, r *http.Request, pod *corev1.Pod) error {
	if pod.GetSpec().GetNodeName() == "" {
		return apierrors.NewBadRequest(fmt.Sprintf("pod %s does not have a host assigned", pod.GetMetadata().GetName()))
	}
	f := &forwarder{h: h, pod: pod, pairs: map[string]*pair{}}
	ctx, cancel := context.WithCancel(r.Context())
	defer f.running.Wait()
	defer cancel()
	f.ctx = ctx

	var conn *spdystream.Connection
	var err error
	switch {
	case spdy.IsUpgrade(r):
		conn, _, err = spdy.Upgrade(w, r, []string{forwardProtocol}, f.stream)
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && channelProtocol(r) != "":
		return f.channels(w, r)
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		conn, err = tunnelled(w, r, f.stream)
	default:
		return apierrors.NewBadRequest("Upgrade request required")
	}
	if err != nil {
		return nil //nolint:nilerr // the upgrade has been answered
	}
	select {
	case <-conn.CloseChan():
	case <-ctx.Done():
	}
	_ = conn.Close() // that the client has ended doesn't close it
	return nil
}

// tunnelled speaks SPDY inside of a WebSocket.
func tunnelled(w http.ResponseWriter, r *http.Request, handle spdy.Streams) (*spdystream.Connection, error) {
	upgrader := websocket.Upgrader{Subprotocols: []string{spdy.TunnelPrefix + forwardProtocol},
		CheckOrigin: func(*http.Request) bool { return true }, ReadBufferSize: 33 << 10, WriteBufferSize: 33 << 10}
	if !hasSubprotocol(r, upgrader.Subprotocols[0]) {
		http.Error(w, "unable to upgrade: the only WebSocket protocol for port-forward is "+upgrader.Subprotocols[0], http.StatusBadRequest)
		return nil, spdy.ErrNoProtocol
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	conn, err := spdy.Serve(spdy.WebSocketConn(ws), handle)
	if err != nil {
		_ = ws.Close()
	}
	return conn, err
}

func hasSubprotocol(r *http.Request, want string) bool {
	for _, p := range websocket.Subprotocols(r) {
		if p == want {
			return true
		}
	}
	return false
}

// forwarder serves one user's port-forward.
type forwarder struct {
	h       *Handler
	ctx     context.Context
	pod     *corev1.Pod
	running sync.WaitGroup

	mu    sync.Mutex
	pairs map[string]*pair
	open  int
}

// pair is the two streams of one connection.
type pair struct {
	data, errors *spdystream.Stream
	timer        *time.Timer
}

// stream takes a new stream and starts the connection once its other half is there.
func (f *forwarder) stream(s *spdystream.Stream) {
	header := s.Headers()
	id, kind := header.Get("requestID"), header.Get("streamType")
	port, err := strconv.ParseUint(header.Get("port"), 10, 16)
	if err != nil || port == 0 || (kind != "data" && kind != "error") {
		_ = s.Reset()
		return
	}
	if id == "" {
		// Clients from before request ids: the two streams have neighbouring ids, the error stream first.
		n := s.Identifier()
		if kind == "data" {
			n -= 2
		}
		id = "stream-" + strconv.FormatUint(uint64(n), 10)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pairs[id]
	if p == nil {
		if f.open >= maxForwarded || f.ctx.Err() != nil {
			_ = s.Reset()
			return
		}
		p = &pair{}
		f.open++
		p.timer = time.AfterFunc(pairTimeout, func() { f.abandon(id, p) })
		f.pairs[id] = p
	}
	switch {
	case kind == "data" && p.data == nil:
		p.data = s
	case kind == "error" && p.errors == nil:
		p.errors = s
	default:
		_ = s.Reset()
		return
	}
	if p.data == nil || p.errors == nil {
		return
	}
	p.timer.Stop()
	delete(f.pairs, id)
	f.running.Add(1)
	go func() {
		defer f.running.Done()
		f.forward(int32(port), p)
		f.mu.Lock()
		f.open--
		f.mu.Unlock()
	}()
}

// abandon drops a stream whose other half did not come.
func (f *forwarder) abandon(id string, p *pair) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pairs[id] != p {
		return
	}
	delete(f.pairs, id)
	f.open--
	for _, s := range []*spdystream.Stream{p.data, p.errors} {
		if s != nil {
			_ = s.Reset()
		}
	}
}

// forward carries one connection; what fails is told on the error stream, which ends it at the client.
func (f *forwarder) forward(port int32, p *pair) {
	if err := f.carry(port, p.data); err != nil {
		_, _ = fmt.Fprintf(p.errors, "an error occurred forwarding %d -> %d: %v", port, port, err)
	}
	_ = p.errors.Close()
	_ = p.data.Close()
	_ = p.data.Reset() // the client may still be sending to a connection that is over
}

func (f *forwarder) carry(port int32, data io.ReadWriteCloser) error {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	s, err := f.h.open(ctx, f.pod, &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_PortForward{
		PortForward: &tunnelv1.PortForwardOptions{Container: address(f.pod, ""), Port: port}}})
	if err != nil {
		return err
	}
	defer s.Close()
	// The reader ends with its stream, which is reset when this connection is over.
	go (&sender{s: s}).stdin(data)
	for {
		frame, err := s.Recv()
		if err == io.EOF { //nolint:errorlint // gRPC returns it bare
			return nil
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		switch fr := frame.GetFrame().(type) {
		case *tunnelv1.SessionRequest_Data:
			if _, err := data.Write(fr.Data.GetPayload()); err != nil {
				return nil //nolint:nilerr // the user's connection is closed
			}
			if fr.Data.GetEnd() {
				// The pod has said all it will; the user may still send.
				_ = data.Close()
			}
		case *tunnelv1.SessionRequest_Exit:
			if e := fr.Exit.GetError(); e != "" {
				return exitError(fr.Exit)
			}
			return nil
		}
	}
}

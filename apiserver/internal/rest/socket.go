package rest

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// tokenProtocol begins the WebSocket protocol in which browsers send a token; it is never agreed on.
const tokenProtocol = "base64url.bearer.authorization.k8s.io."

// socket is a WebSocket as the http.ResponseWriter of a watch: each write is one event and travels as one message.
type socket struct {
	ws     *websocket.Conn
	header http.Header
	// binary messages are protobuf, whose length need not stand before them.
	binary bool
}

// openSocket accepts the upgrade of a watch. cancel is called when the client goes.
func openSocket(w http.ResponseWriter, r *http.Request, binary bool, cancel context.CancelFunc) (*socket, error) {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	for _, p := range websocket.Subprotocols(r) {
		if !strings.HasPrefix(p, tokenProtocol) {
			u.Subprotocols = append(u.Subprotocols, p)
			break
		}
	}
	header := http.Header{}
	for _, key := range []string{"Audit-Id", "Warning"} {
		if v := w.Header().Values(key); len(v) > 0 {
			header[key] = v
		}
	}
	ws, err := u.Upgrade(w, r, header)
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(1 << 10) // nothing is expected
	go func() {
		// Ends with the connection, which the watch closes.
		defer cancel()
		for {
			if _, _, err := ws.NextReader(); err != nil {
				return
			}
		}
	}()
	return &socket{ws: ws, header: http.Header{}, binary: binary}, nil
}

// Header implements http.ResponseWriter; nothing comes of it.
func (s *socket) Header() http.Header { return s.header }

// WriteHeader implements http.ResponseWriter.
func (s *socket) WriteHeader(int) {}

// Write implements http.ResponseWriter.
func (s *socket) Write(p []byte) (int, error) {
	kind, message := websocket.TextMessage, bytes.TrimSuffix(p, []byte("\n"))
	if s.binary {
		kind, message = websocket.BinaryMessage, p[4:]
	}
	if err := s.ws.WriteMessage(kind, message); err != nil {
		return 0, err
	}
	return len(p), nil
}

// FlushError is for http.ResponseController.
func (s *socket) FlushError() error { return nil }

// SetWriteDeadline is for http.ResponseController.
func (s *socket) SetWriteDeadline(t time.Time) error { return s.ws.SetWriteDeadline(t) }

// closeTime bounds how long the end of a watch may take to be sent.
const closeTime = 5 * time.Second

func (s *socket) close() {
	_ = s.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(closeTime))
	_ = s.ws.Close()
}

package podstream

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream/spdy"
	"github.com/keelson/keelson/proto/apierrors"
)

// The protocols of port-forwards over plain WebSocket, which browsers and clients from before tunnelled SPDY speak. The
// ports stand in the query; the i-th has the channel 2i for its data and 2i+1 for its error. A message is the channel's
// number and bytes of it, in the second protocol as a digit and base64. There is one connection a port.
const (
	channelBinary = "v4.channel.k8s.io"
	channelBase64 = "v4.base64.channel.k8s.io"
)

// maxChannelPorts bounds the ports of one port-forward: a channel's number is a byte, or in base64 a digit.
const maxChannelPorts = 5

// channelProtocol is the one of the two that the client offers; "" where it prefers the tunnel or offers neither.
func channelProtocol(r *http.Request) string {
	for _, p := range websocket.Subprotocols(r) {
		switch p {
		case channelBinary, channelBase64:
			return p
		case spdy.TunnelPrefix + forwardProtocol:
			return ""
		}
	}
	return ""
}

// channels serves a port-forward over plain WebSocket.
func (f *forwarder) channels(w http.ResponseWriter, r *http.Request) error {
	var ports []uint16
	for _, value := range r.URL.Query()["ports"] {
		for _, s := range strings.Split(value, ",") {
			n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
			if err != nil || n == 0 {
				return apierrors.NewBadRequest(fmt.Sprintf("unable to parse %q as a port", s))
			}
			ports = append(ports, uint16(n))
		}
	}
	switch {
	case len(ports) == 0:
		return apierrors.NewBadRequest("query parameter \"ports\" is required")
	case len(ports) > maxChannelPorts:
		return apierrors.NewBadRequest(fmt.Sprintf("at most %d ports can be forwarded over one WebSocket", maxChannelPorts))
	}
	protocol := channelProtocol(r)
	u := websocket.Upgrader{Subprotocols: []string{protocol}, CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := u.Upgrade(w, r, nil)
	if err != nil {
		return nil //nolint:nilerr // the upgrade has been answered
	}
	m := &multiplexed{ws: ws, text: protocol == channelBase64}
	defer m.close()
	pipes := make([]*io.PipeWriter, len(ports))
	var ended sync.WaitGroup
	for i, port := range ports {
		in, out := io.Pipe()
		pipes[i] = out
		c := &channel{m: m, number: byte(2 * i), in: in}
		failure := &channel{m: m, number: byte(2*i + 1)}
		head := binary.LittleEndian.AppendUint16(nil, port)
		if _, err := c.Write(head); err != nil {
			return nil //nolint:nilerr // the client is gone
		}
		if _, err := failure.Write(head); err != nil {
			return nil //nolint:nilerr // the client is gone
		}
		ended.Add(1)
		f.running.Add(1)
		go func() {
			defer f.running.Done()
			defer ended.Done()
			if err := f.carry(int32(port), c); err != nil {
				_, _ = fmt.Fprintf(failure, "an error occurred forwarding %d -> %d: %v", port, port, err)
			}
			_ = in.Close()
		}()
	}
	f.running.Add(1)
	go func() {
		defer f.running.Done()
		ended.Wait()
		m.close() // nothing is left to say, and the loop below ends
	}()
	for {
		number, payload, err := m.read()
		if err != nil {
			break
		}
		if number%2 == 0 && int(number/2) < len(pipes) {
			_, _ = pipes[number/2].Write(payload) // after the connection's end nobody reads
		}
	}
	for _, p := range pipes {
		_ = p.Close()
	}
	return nil
}

// multiplexed is a WebSocket that carries channels.
type multiplexed struct {
	ws   *websocket.Conn
	text bool
	mu   sync.Mutex // messages are written one at a time
	once sync.Once
}

var errMessage = errors.New("a message without a channel")

func (m *multiplexed) read() (number byte, payload []byte, err error) {
	_, b, err := m.ws.ReadMessage()
	switch {
	case err != nil:
		return 0, nil, err
	case len(b) == 0:
		return 0, nil, errMessage
	case !m.text:
		return b[0], b[1:], nil
	case b[0] < '0' || b[0] > '9':
		return 0, nil, errMessage
	}
	payload, err = base64.StdEncoding.DecodeString(string(b[1:]))
	return b[0] - '0', payload, err
}

func (m *multiplexed) write(number byte, p []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.text {
		return m.ws.WriteMessage(websocket.TextMessage, append([]byte{'0' + number}, base64.StdEncoding.EncodeToString(p)...))
	}
	return m.ws.WriteMessage(websocket.BinaryMessage, append([]byte{number}, p...))
}

func (m *multiplexed) close() { m.once.Do(func() { _ = m.ws.Close() }) }

// channel is one channel of a WebSocket.
type channel struct {
	m      *multiplexed
	number byte
	in     *io.PipeReader
}

func (c *channel) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c *channel) Write(p []byte) (int, error) {
	if err := c.m.write(c.number, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close implements io.Closer; the protocol has no end of a channel.
func (c *channel) Close() error { return nil }

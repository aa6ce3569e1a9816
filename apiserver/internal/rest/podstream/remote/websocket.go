package remote

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Channels of a WebSocket message: its first byte.
const (
	channelStdin  = 0
	channelStdout = 1
	channelStderr = 2
	channelError  = 3
	channelResize = 4
	// channelClose is v5's half close; the second byte says of what.
	channelClose = 255
)

// writeTimeout bounds a write to a client that does not read; streams can wait long, but not for ever.
const writeTimeout = 10 * time.Minute

// base64Prefix marks the text variants of the protocols, for clients that cannot send binary messages.
const base64Prefix = "base64."

var webSocketProtocols = []string{v5, v4, v3, v2, v1, base64Prefix + v4, base64Prefix + v1}

// acceptWebSocket upgrades and starts reading messages.
func acceptWebSocket(w http.ResponseWriter, r *http.Request, want Streams) (*Session, error) {
	upgrader := websocket.Upgrader{
		Subprotocols: webSocketProtocols,
		// Browsers send their page's origin; the credentials in the request decide, not the page.
		CheckOrigin:     func(*http.Request) bool { return true },
		ReadBufferSize:  32<<10 + 1024,
		WriteBufferSize: 32<<10 + 1024,
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	protocol := ws.Subprotocol()
	c := &wsSession{ws: ws, text: strings.HasPrefix(protocol, base64Prefix), gone: make(chan struct{})}
	protocol = strings.TrimPrefix(protocol, base64Prefix)
	if protocol == "" {
		protocol = v1
	}
	s := &Session{protocol: protocol, Gone: c.gone, errors: c.writer(channelError), close: c.close}
	if want.Stdin {
		pr, pw := io.Pipe()
		c.stdin, c.stdinReader, s.Stdin = pw, pr, pr
	}
	if want.Stdout {
		s.Stdout = c.writer(channelStdout)
	}
	if want.Stderr && !want.TTY {
		s.Stderr = c.writer(channelStderr)
	}
	if want.TTY {
		pr, pw := io.Pipe()
		c.resize = pw
		ch := make(chan Size)
		s.Sizes = ch
		go sizes(pr, ch, c.gone)
	}
	go c.read()
	return s, nil
}

// wsSession is one WebSocket with its channels.
type wsSession struct {
	ws   *websocket.Conn
	text bool // base64 in text messages

	writing     sync.Mutex // one message at a time
	stdin       *io.PipeWriter
	stdinReader *io.PipeReader
	resize      *io.PipeWriter
	gone        chan struct{}
	closeOnce   sync.Once
}

// read distributes the client's messages until the connection ends. Reading also answers pings.
func (c *wsSession) read() {
	defer close(c.gone)
	defer c.endInputs()
	for {
		_, message, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		channel, payload, ok := c.decode(message)
		if !ok {
			continue
		}
		switch channel {
		case channelStdin:
			if c.stdin != nil {
				// An error means that the session does not read any more; the rest is dropped.
				_, _ = c.stdin.Write(payload)
			}
		case channelResize:
			if c.resize != nil {
				_, _ = c.resize.Write(payload)
			}
		case channelClose:
			if len(payload) == 1 && payload[0] == channelStdin && c.stdin != nil {
				_ = c.stdin.Close()
			}
		}
	}
}

func (c *wsSession) endInputs() {
	if c.stdin != nil {
		_ = c.stdin.CloseWithError(io.ErrUnexpectedEOF)
	}
	if c.resize != nil {
		_ = c.resize.Close()
	}
}

func (c *wsSession) decode(message []byte) (channel byte, payload []byte, ok bool) {
	if len(message) == 0 {
		return 0, nil, false
	}
	channel, payload = message[0], message[1:]
	if !c.text {
		return channel, payload, true
	}
	payload, err := base64.StdEncoding.DecodeString(string(payload))
	return channel - '0', payload, err == nil
}

// close says goodbye and drops the connection; a blocked reader of stdin is released.
func (c *wsSession) close() (err error) {
	c.closeOnce.Do(func() {
		c.writing.Lock()
		_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		c.writing.Unlock()
		if c.stdinReader != nil {
			_ = c.stdinReader.Close()
		}
		err = c.ws.Close()
	})
	return err
}

func (c *wsSession) writer(channel byte) io.Writer { return &wsWriter{c: c, channel: channel} }

// wsWriter sends each write as one message on its channel.
type wsWriter struct {
	c       *wsSession
	channel byte
}

func (w *wsWriter) Write(p []byte) (int, error) {
	kind, message := websocket.BinaryMessage, make([]byte, 0, len(p)+1)
	if w.c.text {
		kind = websocket.TextMessage
		message = append(message, '0'+w.channel)
		message = base64.StdEncoding.AppendEncode(message, p)
	} else {
		message = append(append(message, w.channel), p...)
	}
	w.c.writing.Lock()
	defer w.c.writing.Unlock()
	if err := w.c.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	if err := w.c.ws.WriteMessage(kind, message); err != nil {
		return 0, err
	}
	return len(p), nil
}

package spdy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// TunnelPrefix precedes, in a WebSocket subprotocol, the protocol that is spoken on SPDY inside of the WebSocket.
const TunnelPrefix = Protocol + "+"

// WebSocketConn makes a byte stream of a WebSocket's binary messages.
func WebSocketConn(ws *websocket.Conn) net.Conn { return &webSocketConn{Conn: ws} }

type webSocketConn struct {
	*websocket.Conn
	current   io.Reader // message being read
	closeOnce sync.Once
}

func (c *webSocketConn) Read(p []byte) (int, error) {
	for {
		if c.current == nil {
			kind, r, err := c.NextReader()
			var closed *websocket.CloseError
			if errors.As(err, &closed) && closed.Code == websocket.CloseNormalClosure {
				return 0, io.EOF
			}
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, fmt.Errorf("unexpected WebSocket message of type %d", kind)
			}
			c.current = r
		}
		n, err := c.current.Read(p)
		if err == io.EOF {
			c.current = nil
			if n == 0 {
				continue
			}
			err = nil
		}
		return n, err
	}
}

func (c *webSocketConn) Write(p []byte) (int, error) {
	if err := c.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *webSocketConn) Close() (err error) {
	c.closeOnce.Do(func() {
		// The peer is told, but not waited for: the connection is going away either way.
		_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		err = c.Conn.Close()
	})
	return err
}

func (c *webSocketConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Package spdy accepts SPDY/3.1 connections as kubectl opens them for exec, attach and port-forward, either upgraded
// directly from HTTP/1.1 or carried in the messages of a WebSocket.
package spdy

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/moby/spdystream"
)

// Names in the handshake.
const (
	// Protocol is the value of the Upgrade header.
	Protocol = "SPDY/3.1"
	// VersionHeader lists the protocols spoken on top of the connection.
	VersionHeader = "X-Stream-Protocol-Version"
	// acceptedHeader tells the client what it could have asked for, when nothing fits.
	acceptedHeader = "X-Accepted-Stream-Protocol-Versions"
)

// ErrNoProtocol reports that client and server share no protocol; the answer (403) has been written.
var ErrNoProtocol = errors.New("unable to negotiate a stream protocol")

// IsUpgrade tells whether the request asks to speak SPDY.
func IsUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), Protocol) && headerHas(r.Header, "Connection", "upgrade")
}

// Streams receives the streams that the client opens; it must not block. The stream has been accepted.
type Streams func(*spdystream.Stream)

// Upgrade turns the request's connection into SPDY. It picks the first protocol of the client's list that the server
// speaks. On error the response has been written, and the connection is the server's again only if it is not hijacked.
func Upgrade(w http.ResponseWriter, r *http.Request, protocols []string, handle Streams) (*spdystream.Connection, string, error) {
	protocol, ok := Choose(r.Header.Values(VersionHeader), protocols)
	if !ok {
		for _, p := range protocols {
			w.Header().Add(acceptedHeader, p)
		}
		http.Error(w, fmt.Sprintf("unable to upgrade: unable to negotiate protocol: client supports %v, server accepts %v",
			r.Header.Values(VersionHeader), protocols), http.StatusForbidden)
		return nil, "", ErrNoProtocol
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "unable to upgrade: "+err.Error(), http.StatusInternalServerError)
		return nil, "", err
	}
	if protocol != "" {
		w.Header().Set(VersionHeader, protocol)
	}
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", Protocol)
	if err := writeSwitch(rw.Writer, w.Header()); err != nil {
		_ = conn.Close()
		return nil, "", err
	}
	c, err := Serve(&bufferedConn{Conn: conn, r: rw.Reader}, handle)
	if err != nil {
		_ = conn.Close()
	}
	return c, protocol, err
}

// Serve speaks SPDY over an established connection. The frames are read by a goroutine that ends with the connection.
func Serve(conn net.Conn, handle Streams) (*spdystream.Connection, error) {
	c, err := spdystream.NewConnection(conn, true)
	if err != nil {
		return nil, fmt.Errorf("start SPDY: %w", err)
	}
	go c.Serve(func(s *spdystream.Stream) {
		if err := s.SendReply(http.Header{}, false); err != nil {
			_ = s.Reset()
			return
		}
		handle(s)
	})
	return c, nil
}

// Choose picks the client's first protocol that the server speaks. A client that names none gets the oldest, which
// has no name. Values may be separate headers or one comma-separated list.
func Choose(offered, spoken []string) (string, bool) {
	any := false
	for _, header := range offered {
		for _, p := range strings.Split(header, ",") {
			p = strings.TrimSpace(p)
			if p == "" {
				continue
			}
			any = true
			for _, s := range spoken {
				if p == s {
					return s, true
				}
			}
		}
	}
	return "", !any
}

func writeSwitch(w *bufio.Writer, header http.Header) error {
	if _, err := w.WriteString("HTTP/1.1 101 Switching Protocols\r\n"); err != nil {
		return err
	}
	if err := header.Write(w); err != nil {
		return err
	}
	if _, err := w.WriteString("\r\n"); err != nil {
		return err
	}
	return w.Flush()
}

// bufferedConn reads first what the HTTP server had already read.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error) { return c.r.Read(p) }

func headerHas(h http.Header, key, token string) bool {
	for _, v := range h.Values(key) {
		for _, t := range strings.Split(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

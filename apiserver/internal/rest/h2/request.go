package h2

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
)

// headers begins a stream, or ends the body of one by trailers.
func (c *conn) headers(f *http2.MetaHeadersFrame) error {
	id := f.StreamID
	c.mu.Lock()
	if st := c.streams[id]; st != nil {
		c.mu.Unlock()
		if !f.StreamEnded() || st.body.ended() {
			c.reset(id, http2.ErrCodeProtocol)
			return nil
		}
		st.body.add(nil, true) // trailers of requests mean nothing here
		return nil
	}
	switch {
	case id%2 == 0 || id <= c.lastID:
		c.mu.Unlock()
		return connError{http2.ErrCodeProtocol, "stream opened out of order"}
	case c.leaving:
		c.mu.Unlock()
		return nil
	case c.running >= 2*maxStreams:
		// Streams that were begun and reset, again and again.
		c.mu.Unlock()
		return connError{http2.ErrCodeEnhanceYourCalm, "too many requests begun"}
	}
	c.lastID = id
	if len(c.streams) >= maxStreams || c.running >= maxStreams+maxStreams/2 {
		c.mu.Unlock()
		c.reset(id, http2.ErrCodeRefusedStream)
		return nil
	}
	st := &stream{c: c, id: id, window: c.streamWindow, wake: make(chan struct{}, 1)}
	st.body = &body{st: st, window: recvStream, end: f.StreamEnded(), wake: make(chan struct{}, 1), declared: -1}
	c.streams[id] = st
	c.running++
	if c.idle != nil {
		c.idle.Stop()
	}
	c.mu.Unlock()
	h := c.handler
	r, err := c.request(st, f)
	if err != nil {
		c.mu.Lock()
		c.running--
		c.mu.Unlock()
		c.reset(id, http2.ErrCodeProtocol)
		return nil
	}
	if f.Truncated {
		h = http.HandlerFunc(tooLarge)
	}
	c.s.workers.do(func() { st.serve(h, r) })
	return nil
}

func tooLarge(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "Request Header Fields Too Large", http.StatusRequestHeaderFieldsTooLarge)
}

var errMalformed = errors.New("malformed request")

// request makes the request of a header block.
func (c *conn) request(st *stream, f *http2.MetaHeadersFrame) (*http.Request, error) {
	var method, path, scheme, authority string
	fields := f.Fields
	for len(fields) > 0 && fields[0].IsPseudo() {
		switch v := fields[0].Value; fields[0].Name {
		case ":method":
			method = v
		case ":path":
			path = v
		case ":scheme":
			scheme = v
		case ":authority":
			authority = v
		default:
			return nil, errMalformed // ":protocol" and the like, which were not offered
		}
		fields = fields[1:]
	}
	if method == "" || path == "" || method == http.MethodConnect || scheme != "https" && scheme != "http" {
		return nil, errMalformed
	}
	header := make(http.Header, len(fields))
	values := make([]string, len(fields)) // one array for all
	for i, h := range fields {
		switch h.Name {
		case "connection", "proxy-connection", "transfer-encoding", "upgrade", "keep-alive":
			return nil, errMalformed
		case "te":
			if h.Value != "trailers" {
				return nil, errMalformed
			}
		}
		key := http.CanonicalHeaderKey(h.Name)
		if have, ok := header[key]; ok {
			if key == "Cookie" {
				have[0] += "; " + h.Value
				continue
			}
			header[key] = append(have, h.Value)
			continue
		}
		values[i] = h.Value
		header[key] = values[i : i+1 : i+1]
	}
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, err
	}
	if authority == "" {
		authority = header.Get("Host")
	}
	ctx, cancel := context.WithCancel(c.ctx)
	st.cancel = cancel
	r := &http.Request{Method: method, URL: u, RequestURI: path, Host: authority, Header: header, Proto: "HTTP/2.0", ProtoMajor: 2,
		RemoteAddr: c.tls.RemoteAddr().String(), TLS: c.state(), Body: http.NoBody}
	if !f.StreamEnded() {
		r.ContentLength = -1
		if text := header.Get("Content-Length"); text != "" {
			n, err := strconv.ParseUint(text, 10, 63)
			if err != nil {
				cancel()
				return nil, err
			}
			r.ContentLength, st.body.declared = int64(n), int64(n)
		}
		r.Body = st.body
		st.expects = strings.EqualFold(header.Get("Expect"), "100-continue")
		delete(header, "Expect")
	}
	return r.WithContext(ctx), nil
}

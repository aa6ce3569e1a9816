package h2

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// writer is a handler's http.ResponseWriter. Like the standard one it belongs to the handler's goroutine.
type writer struct {
	st     *stream
	header http.Header
	head   bool // the request's method: no body is sent
	code   int
	sealed http.Header // the header as it was when it was written
	length int64       // what Content-Length says; -1 where nothing
	// begun is set once the header is among the pending frames.
	begun bool
	done  bool
	buf   *[]byte
	err   error
	wrote int64
}

var responseBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

var errDone = errors.New("http2: response written after its handler has returned")

func newWriter(st *stream, r *http.Request) *writer {
	return &writer{st: st, header: http.Header{}, head: r.Method == http.MethodHead, length: -1}
}

// Header implements http.ResponseWriter.
func (w *writer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(code int) {
	switch {
	case w.code != 0 || w.done:
		return
	case code < 100 || code > 999:
		panic("http2: invalid status code " + strconv.Itoa(code))
	case code < 200:
		header := w.header
		_ = w.st.c.out.send(func(b []byte) []byte { return w.appendFields(b, code, header, false) })
		return
	}
	w.code = code
	w.sealed = w.header.Clone()
	if text := w.sealed.Get("Content-Length"); text != "" {
		if n, err := strconv.ParseUint(text, 10, 63); err == nil {
			w.length = int64(n)
		} else {
			w.sealed.Del("Content-Length")
		}
	}
}

// bodyless tells whether the response has no body whatever the handler writes.
func (w *writer) bodyless() bool {
	return w.head || w.code == http.StatusNoContent || w.code == http.StatusNotModified
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, errDone
	}
	if w.code == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.bodyless() {
		if w.head {
			w.wrote += int64(len(p))
			return len(p), nil
		}
		return 0, http.ErrBodyNotAllowed
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.wrote += int64(len(p)); w.length >= 0 && w.wrote > w.length {
		return 0, http.ErrContentLength
	}
	for rest := p; len(rest) > 0 && w.err == nil; {
		if whole := len(rest) / Chunk * Chunk; whole > 0 && (w.buf == nil || len(*w.buf) == 0) {
			w.sniff(rest)
			w.err = w.st.send(w, rest[:whole], false)
			rest = rest[whole:]
			continue
		}
		if w.buf == nil {
			w.buf = responseBuffers.Get().(*[]byte)
		}
		n := min(Chunk-len(*w.buf), len(rest))
		*w.buf = append(*w.buf, rest[:n]...)
		if rest = rest[n:]; len(*w.buf) == Chunk {
			w.err = w.flush(false)
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// WriteString implements io.StringWriter.
func (w *writer) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func (w *writer) flush(end bool) error {
	var data []byte
	if w.buf != nil {
		data = *w.buf
	}
	if !w.begun && len(data) > 0 {
		w.sniff(data)
	}
	err := w.st.send(w, data, end)
	if w.buf != nil {
		*w.buf = (*w.buf)[:0]
	}
	return err
}

// sniff completes the content type by the body's beginning.
func (w *writer) sniff(data []byte) {
	if w.begun {
		return
	}
	if _, ok := w.sealed["Content-Type"]; !ok && w.sealed.Get("Content-Encoding") == "" {
		w.sealed.Set("Content-Type", http.DetectContentType(data))
	}
}

// Flush implements http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError sends what has been written so far.
func (w *writer) FlushError() error {
	if w.done {
		return errDone
	}
	if w.code == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.err == nil && (!w.begun || w.buf != nil && len(*w.buf) > 0) {
		w.err = w.flush(false)
	}
	// Who flushes may be long in writing again: an idle watch holds no buffer.
	w.release()
	return w.err
}

// finish ends the response after its handler.
func (w *writer) finish() {
	if w.code == 0 {
		w.WriteHeader(http.StatusOK)
	}
	short := w.length >= 0 && w.wrote < w.length && !w.bodyless()
	if !w.begun && !short && w.length < 0 && (!w.bodyless() || w.head && w.wrote > 0) {
		w.sealed.Set("Content-Length", strconv.FormatInt(w.wrote, 10))
	}
	switch {
	case w.err != nil:
		w.st.c.reset(w.st.id, http2.ErrCodeInternal)
	case short:
		_ = w.flush(false)
		w.st.c.reset(w.st.id, http2.ErrCodeInternal)
	default:
		err := w.flush(true)
		if err == nil && !w.st.body.ended() {
			// The client need not send the rest.
			w.st.c.reset(w.st.id, http2.ErrCodeNo)
		}
	}
	w.abandon()
	w.st.c.forget(w.st)
}

func (w *writer) abandon() {
	w.done = true
	w.release()
}

// release gives the buffer back, which is empty or not needed any more.
func (w *writer) release() {
	if w.buf != nil && cap(*w.buf) <= 2*Chunk {
		*w.buf = (*w.buf)[:0]
		responseBuffers.Put(w.buf)
	}
	w.buf = nil
}

// SetReadDeadline is used by http.ResponseController.
func (w *writer) SetReadDeadline(t time.Time) error {
	w.st.body.setDeadline(t)
	return nil
}

// SetWriteDeadline is used by http.ResponseController.
func (w *writer) SetWriteDeadline(t time.Time) error {
	w.st.mu.Lock()
	w.st.deadline = t
	w.st.mu.Unlock()
	w.st.signal()
	return nil
}

// EnableFullDuplex is used by http.ResponseController; HTTP/2 knows nothing else.
func (w *writer) EnableFullDuplex() error { return nil }

// appendHeader appends the response's header; the output's lock is held.
func (w *writer) appendHeader(b []byte, end bool) []byte {
	return w.appendFields(b, w.code, w.sealed, end)
}

func (w *writer) appendFields(b []byte, code int, header http.Header, end bool) []byte {
	o := &w.st.c.out
	o.block.Reset()
	o.field(":status", status(code))
	for k, values := range header {
		switch k {
		case "Connection", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Keep-Alive", "Trailer":
			continue // of HTTP/1.1
		}
		name := lower(k)
		if strings.HasPrefix(k, http.TrailerPrefix) || !validName(name) {
			continue
		}
		for _, v := range values {
			o.field(name, clean(v))
		}
	}
	if _, ok := header["Date"]; !ok && code >= 200 {
		o.field("date", date())
	}
	return appendBlock(b, o.block.Bytes(), w.st.id, end)
}

// once are headers whose values do not come again, or must not be remembered.
var once = map[string]bool{"set-cookie": true, "audit-id": true, "content-length": true, "etag": true}

func (o *output) field(name, value string) {
	_ = o.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: once[name]}) // a bytes.Buffer takes all
}

func status(code int) string {
	switch code {
	case 200:
		return "200"
	case 201:
		return "201"
	}
	return strconv.Itoa(code)
}

// lowered keeps the names of headers in the form that HTTP/2 wants; few are ever used.
var (
	lowered      sync.Map // string -> string
	countLowered atomic.Int32
)

func lower(k string) string {
	if v, ok := lowered.Load(k); ok {
		return v.(string)
	}
	v := strings.ToLower(k)
	if len(k) <= 32 && countLowered.Add(1) <= 256 {
		lowered.Store(k, v)
	}
	return v
}

func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return false
		}
	}
	return s != ""
}

// clean makes a value one line.
func clean(v string) string {
	if strings.ContainsAny(v, "\r\n\x00") {
		return strings.Map(func(r rune) rune {
			if r == '\r' || r == '\n' || r == 0 {
				return ' '
			}
			return r
		}, v)
	}
	return v
}

// state is that of TLS, which every request shows.
func (c *conn) state() *tls.ConnectionState {
	c.stateOnce.Do(func() {
		s := c.tls.ConnectionState()
		c.tlsState = &s
	})
	return c.tlsState
}

// date is the header's, made once a second.
func date() string {
	now := time.Now().Unix()
	if d := lastDate.Load(); d != nil && d.at == now {
		return d.text
	}
	text := time.Unix(now, 0).UTC().Format(http.TimeFormat)
	lastDate.Store(&dated{now, text})
	return text
}

type dated struct {
	at   int64
	text string
}

var lastDate atomic.Pointer[dated]

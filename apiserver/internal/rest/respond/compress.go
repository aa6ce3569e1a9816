package respond

import (
	"bufio"
	"compress/gzip"
	"net"
	"net/http"
	"strings"
	"sync"
)

// compressAbove is the size from which an answer is worth the CPU time of compressing it.
const compressAbove = 128 << 10

var gzips = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil { // the level is valid
		panic(err)
	}
	return z
}}

// Compressor is a ResponseWriter that compresses long answers for clients that accept it. It holds back the header
// until it knows; Close must be called when the answer is complete.
type Compressor struct {
	w       http.ResponseWriter
	code    int
	held    []byte
	decided bool
	zip     *gzip.Writer
}

// Compress wraps w. The result is w itself where the client does not accept gzip.
func Compress(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, func()) {
	if !acceptsGzip(r) {
		return w, func() {}
	}
	c := &Compressor{w: w}
	return c, c.Close
}

func acceptsGzip(r *http.Request) bool {
	for _, v := range r.Header.Values("Accept-Encoding") {
		for _, part := range strings.Split(v, ",") {
			name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
			if strings.TrimSpace(name) == "gzip" && strings.ReplaceAll(q, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}

// Header implements http.ResponseWriter.
func (c *Compressor) Header() http.Header { return c.w.Header() }

// WriteHeader implements http.ResponseWriter: it remembers the code.
func (c *Compressor) WriteHeader(code int) {
	if c.code == 0 {
		c.code = code
	}
}

// Write implements http.ResponseWriter.
func (c *Compressor) Write(p []byte) (int, error) {
	if !c.decided {
		if len(c.held)+len(p) <= compressAbove {
			c.held = append(c.held, p...)
			return len(p), nil
		}
		c.decide(true)
		if err := c.release(); err != nil {
			return 0, err
		}
	}
	if c.zip != nil {
		return c.zip.Write(p)
	}
	return c.w.Write(p)
}

func (c *Compressor) decide(long bool) {
	c.decided = true
	h := c.w.Header()
	if long && h.Get("Content-Encoding") == "" {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		h.Del("Content-Length")
		c.zip = gzips.Get().(*gzip.Writer)
		c.zip.Reset(c.w)
	}
	if c.code != 0 {
		c.w.WriteHeader(c.code)
	}
}

func (c *Compressor) release() error {
	held := c.held
	c.held = nil
	if len(held) == 0 {
		return nil
	}
	var err error
	if c.zip != nil {
		_, err = c.zip.Write(held)
	} else {
		_, err = c.w.Write(held)
	}
	return err
}

// Flush implements http.Flusher: an answer that is flushed is a stream and not held back.
func (c *Compressor) Flush() {
	if !c.decided {
		c.decide(false)
		_ = c.release()
	}
	if c.zip != nil {
		_ = c.zip.Flush()
	}
	_ = http.NewResponseController(c.w).Flush()
}

// Hijack implements http.Hijacker.
func (c *Compressor) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c.decided = true
	return http.NewResponseController(c.w).Hijack()
}

// Close completes the answer.
func (c *Compressor) Close() {
	if !c.decided {
		c.decide(false)
		_ = c.release()
	}
	if c.zip != nil {
		_ = c.zip.Close()
		c.zip.Reset(nil)
		gzips.Put(c.zip)
		c.zip = nil
	}
}

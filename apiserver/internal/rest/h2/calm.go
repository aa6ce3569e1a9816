package h2

import (
	"bufio"
	"time"

	"golang.org/x/net/http2"
)

// Frames that do nothing, or only want an answer, cost a client less than the server: more of them than maxUseless in
// uselessPeriod end the connection.
const (
	maxUseless    = 10000
	uselessPeriod = 10 * time.Second
)

var errCalm = connError{http2.ErrCodeEnhanceYourCalm, "too many frames without use"}

// calm counts frames without use. It belongs to the reader.
type calm struct {
	n     int
	since time.Time
}

// allows counts one more.
func (c *calm) allows() bool {
	if c.n++; c.n > maxUseless {
		now := time.Now()
		if now.Sub(c.since) < uselessPeriod {
			return false
		}
		c.n, c.since = 1, now
	} else if c.n == 1 {
		c.since = time.Now()
	}
	return true
}

// meter reads no more than left bytes.
type meter struct {
	*bufio.Reader
	left int
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 && len(p) > 0 {
		return 0, connError{http2.ErrCodeEnhanceYourCalm, "header without end"}
	}
	n, err := m.Reader.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}

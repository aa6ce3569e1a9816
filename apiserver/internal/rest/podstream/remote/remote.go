// Package remote is the user's end of an exec or attach session: standard streams, terminal sizes and a final status,
// over SPDY/3.1 or WebSocket, in the protocols v1 to v5 of channel.k8s.io.
package remote

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// Protocols, newest first. They differ in three ways: from v2 on closing stdin ends it for the process, from v3 on a
// terminal can be resized, from v4 on the error stream carries a Status. v5 adds the half close to WebSockets.
const (
	v5 = "v5.channel.k8s.io"
	v4 = "v4.channel.k8s.io"
	v3 = "v3.channel.k8s.io"
	v2 = "v2.channel.k8s.io"
	v1 = "channel.k8s.io"
)

// streamTimeout bounds how long a client may take to open its streams after the upgrade.
const streamTimeout = 30 * time.Second

// ErrNotUpgrade reports a plain request where a stream was expected.
var ErrNotUpgrade = errors.New("an upgrade to SPDY or WebSocket is required")

// Streams says what the user asked for.
type Streams struct {
	Stdin, Stdout, Stderr, TTY bool
}

// Size is a terminal's size in characters.
type Size struct {
	Width, Height uint16
}

// Session is an accepted connection. Stdin, Stdout and Stderr are nil where not asked for.
type Session struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Sizes delivers the terminal's sizes; it is closed, or never used, when there are no more.
	Sizes <-chan Size
	// Gone is closed when the user's connection is.
	Gone <-chan struct{}

	protocol string
	errors   io.Writer // the channel of the final status
	close    func() error
}

// Accept upgrades the request. Once it returns an error the response has been written, except for ErrNotUpgrade.
func Accept(w http.ResponseWriter, r *http.Request, want Streams) (*Session, error) {
	switch {
	case isWebSocket(r):
		return acceptWebSocket(w, r, want)
	case isSPDY(r):
		return acceptSPDY(w, r, want)
	}
	return nil, ErrNotUpgrade
}

// Outcome is how a session ended.
type Outcome struct {
	// ExitCode of the command; the session went well where it is 0 and Err is empty.
	ExitCode int32
	// Err says what went wrong where no exit code tells it.
	Err string
	// Reason and Code are a Status' for Err: "InternalError", 500.
	Reason string
	Code   int32
}

// Finish tells the user how the session ended and closes the connection.
func (s *Session) Finish(o Outcome) error {
	err := errors.Join(end(s.Stdout), end(s.Stderr))
	if b := o.encode(s.protocol); len(b) > 0 {
		_, werr := s.errors.Write(b)
		err = errors.Join(err, werr)
	}
	return errors.Join(err, end(s.errors), s.close())
}

// end says that nothing more is written, where the transport can: a SPDY client reads each stream to its end, a
// WebSocket's channels end with the connection.
func end(w io.Writer) error {
	if c, ok := w.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Close drops the connection without a word.
func (s *Session) Close() error { return s.close() }

// encode writes the outcome for the error channel: a Status from v4 on, a sentence (or nothing) before.
func (o Outcome) encode(protocol string) []byte {
	if protocol != v5 && protocol != v4 {
		return []byte(o.message())
	}
	type cause struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}
	type details struct {
		Causes []cause `json:"causes"`
	}
	status := struct {
		Metadata struct{} `json:"metadata"`
		Status   string   `json:"status"`
		Message  string   `json:"message,omitempty"`
		Reason   string   `json:"reason,omitempty"`
		Details  *details `json:"details,omitempty"`
		Code     int32    `json:"code,omitempty"`
	}{Status: "Success", Message: o.message()}
	switch {
	case o.Err != "":
		status.Status, status.Reason, status.Code = "Failure", o.Reason, o.Code
		if status.Reason == "" {
			status.Reason, status.Code = "InternalError", http.StatusInternalServerError
		}
	case o.ExitCode != 0:
		status.Status, status.Reason = "Failure", "NonZeroExitCode"
		status.Details = &details{Causes: []cause{{Reason: "ExitCode", Message: itoa(o.ExitCode)}}}
	}
	b, err := json.Marshal(status)
	if err != nil { // strings and numbers always marshal
		return nil
	}
	return b
}

func (o Outcome) message() string {
	switch {
	case o.Err != "":
		return o.Err
	case o.ExitCode != 0:
		return "command terminated with non-zero exit code: exit status " + itoa(o.ExitCode)
	}
	return ""
}

// sizes decodes the JSON documents of a resize stream, {"Width":80,"Height":24}, until it ends.
func sizes(r io.Reader, out chan<- Size, done <-chan struct{}) {
	defer close(out)
	d := json.NewDecoder(r)
	for {
		var s Size
		if err := d.Decode(&s); err != nil {
			return
		}
		select {
		case out <- s:
		case <-done:
			return
		}
	}
}

func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// Requested tells whether the request asks for an upgrade that Accept takes.
func Requested(r *http.Request) bool { return isWebSocket(r) || isSPDY(r) }

package callout

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of the client.
const (
	// maxResponse is how long an answer may be: a thousand converted objects, a patch of the largest in base64.
	maxResponse = 32 << 20
	// maxTransports is for how many programs connections are kept.
	maxTransports = 256
	// idle is how long a connection without use is kept.
	idle = 90 * time.Second
	// handshake bounds how long TLS may take.
	handshake = 10 * time.Second
	// maxConnections bounds what one program has to serve at a time.
	maxConnections = 128
)

// DialService connects to an endpoint of a Service, by the number of one of its ports.
type DialService func(ctx context.Context, namespace, name string, port int32) (net.Conn, error)

// Client posts to programs. It may be used by many at a time.
type Client struct {
	agent string

	mu         sync.Mutex
	dial       DialService
	transports map[string]*http.Transport
	order      []string
}

// New returns a client that cannot reach Services before SetDial. agent is its User-Agent.
func New(agent string) *Client {
	return &Client{agent: agent, transports: map[string]*http.Transport{}}
}

// SetDial tells how Services are reached.
func (c *Client) SetDial(d DialService) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dial = d
}

// Close ends the connections that are not in use.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
}

// Post sends JSON and returns the answer's. Errors are worded as Kubernetes' client words them.
func (c *Client) Post(ctx context.Context, e Endpoint, body []byte) ([]byte, error) {
	var timeout time.Duration
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	address, err := e.address(timeout)
	if err != nil {
		return nil, err
	}
	transport, err := c.transport(e)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, */*")
	req.Header.Set("User-Agent", c.agent)
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("unexpected error when reading response body. Please retry. Original error: %w", err)
	case len(answer) > maxResponse:
		return nil, fmt.Errorf("the response is longer than %d bytes", maxResponse)
	case resp.StatusCode < http.StatusOK || resp.StatusCode > http.StatusPartialContent:
		return nil, refusal(resp.StatusCode, answer)
	}
	return answer, nil
}

// refusal words an answer that is none.
func refusal(code int, body []byte) error {
	const shown = 2048
	text := string(body[:min(len(body), shown)])
	switch code {
	case http.StatusBadRequest:
		return errors.New("the server rejected our request for an unknown reason")
	case http.StatusUnauthorized:
		return errors.New("the server has asked for the client to provide credentials")
	case http.StatusForbidden:
		return fmt.Errorf("forbidden: %s", text)
	case http.StatusNotFound:
		return errors.New("the server could not find the requested resource")
	case http.StatusMethodNotAllowed:
		return errors.New("the server does not allow this method on the requested resource")
	case http.StatusUnsupportedMediaType:
		return errors.New("the body of the request was in an unknown format - accepted media types include: application/json")
	case http.StatusTooManyRequests:
		return errors.New("the server has received too many requests and has asked us to try again later")
	case http.StatusServiceUnavailable:
		return errors.New("the server is currently unable to handle the request")
	case http.StatusGatewayTimeout:
		return errors.New("the server was unable to return a response in the time allotted, but may still be processing the request")
	}
	if code >= http.StatusInternalServerError {
		return fmt.Errorf("an error on the server (%q) has prevented the request from succeeding", text)
	}
	return fmt.Errorf("the server responded with the status code %d but did not return more information", code)
}

// transport returns the connections for an endpoint.
func (c *Client) transport(e Endpoint) (*http.Transport, error) {
	key := e.key()
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.transports[key]; t != nil {
		return t, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(e.CABundle) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(e.CABundle) {
			return nil, errors.New("unable to load root certificates: unable to parse bytes as PEM block")
		}
	}
	t := &http.Transport{
		TLSClientConfig: config, ForceAttemptHTTP2: true, TLSHandshakeTimeout: handshake, IdleConnTimeout: idle,
		MaxConnsPerHost: maxConnections, MaxIdleConnsPerHost: maxConnections, MaxResponseHeaderBytes: 64 << 10,
		HTTP2: &http.HTTP2Config{SendPingTimeout: idle / 3, PingTimeout: handshake},
	}
	if s := e.Service; s != nil {
		config.ServerName = s.host()
		namespace, name, port := s.Namespace, s.Name, s.port()
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			c.mu.Lock()
			dial := c.dial
			c.mu.Unlock()
			if dial == nil {
				return nil, errors.New("services cannot be reached yet")
			}
			return dial(ctx, namespace, name, port)
		}
	} else {
		t.Proxy = http.ProxyFromEnvironment
	}
	if len(c.order) == maxTransports {
		c.transports[c.order[0]].CloseIdleConnections()
		delete(c.transports, c.order[0])
		c.order = c.order[1:]
	}
	c.transports[key] = t
	c.order = append(c.order, key)
	return t, nil
}

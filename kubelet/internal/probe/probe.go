// Package probe asks containers how they are: over HTTP, TCP, gRPC's health service, or by a command. It also carries
// out the same actions as lifecycle hooks.
package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// Exec runs a command in the container and returns its exit code; output goes to the writer.
type Exec func(ctx context.Context, command []string, output io.Writer) (int, error)

// Target is what is asked.
type Target struct {
	// Address of the pod.
	Address string
	// Container whose named ports and command line are meant.
	Container *corev1.Container
	Exec      Exec
}

// maxOutput bounds what is kept of an answer.
const maxOutput = 10 << 10

// Do asks once. A nil error is success; message is what the answer said. ctx bounds how long it may take.
func Do(ctx context.Context, h *corev1.ProbeHandler, t Target) (message string, err error) {
	switch {
	case h.GetExec() != nil:
		return command(ctx, h.Exec.Command, t)
	case h.GetHttpGet() != nil:
		return get(ctx, h.HttpGet, t, "kube-probe/1.37")
	case h.GetTcpSocket() != nil:
		return "", dial(ctx, h.TcpSocket, t)
	case h.GetGrpc() != nil:
		return "", check(ctx, h.Grpc, t)
	}
	return "", errors.New("missing probe handler")
}

// Hook carries out a lifecycle hook.
func Hook(ctx context.Context, h *corev1.LifecycleHandler, t Target) (message string, err error) {
	switch {
	case h.Exec != nil:
		return command(ctx, h.Exec.Command, t)
	case h.HttpGet != nil:
		return get(ctx, h.HttpGet, t, "kube-lifecycle/1.37")
	case h.TcpSocket != nil:
		return "", dial(ctx, h.TcpSocket, t)
	case h.Sleep != nil:
		select {
		case <-time.After(time.Duration(h.Sleep.Seconds) * time.Second):
			return "", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "", errors.New("missing handler")
}

func command(ctx context.Context, command []string, t Target) (string, error) {
	out := &limited{}
	code, err := t.Exec(ctx, command, out)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return out.String(), fmt.Errorf("command timed out: %q", strings.Join(command, " "))
		}
		return out.String(), err
	}
	if code != 0 {
		return out.String(), fmt.Errorf("command %q exited with %d: %s", strings.Join(command, " "), code, out.String())
	}
	return out.String(), nil
}

type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// port resolves a number or a name of one of the container's ports.
func port(p *metav1.IntOrString, c *corev1.Container) (int, error) {
	if p.GetType() == 0 {
		return int(p.GetIntVal()), nil
	}
	for _, cp := range c.Ports {
		if cp.Name == p.StrVal {
			return int(cp.ContainerPort), nil
		}
	}
	if n, err := strconv.Atoi(p.StrVal); err == nil {
		return n, nil
	}
	return 0, fmt.Errorf("couldn't find port: %q in container %s", p.StrVal, c.Name)
}

// client follows redirects within the pod only, checks no certificate, and keeps no connection: a probe is a new
// client each time.
var client = &http.Client{
	Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, DisableCompression: true, Proxy: nil,
	},
	CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Hostname() != via[0].URL.Hostname() {
			return http.ErrUseLastResponse
		}
		if len(via) >= 10 {
			return errors.New("stopped after 10 redirects")
		}
		return nil
	},
}

func get(ctx context.Context, h *corev1.HTTPGetAction, t Target, agent string) (string, error) {
	p, err := port(h.Port, t.Container)
	if err != nil {
		return "", err
	}
	host := h.Host
	if host == "" {
		host = t.Address
	}
	u, err := url.Parse(h.Path)
	if err != nil {
		u = &url.URL{Path: h.Path}
	}
	u.Scheme, u.Host = strings.ToLower(h.Scheme), net.JoinHostPort(host, strconv.Itoa(p))
	if u.Scheme == "" {
		u.Scheme = "http"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	for _, header := range h.HttpHeaders {
		if strings.EqualFold(header.Name, "host") {
			r.Host = header.Value
		}
		r.Header.Add(header.Name, header.Value)
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", agent)
	}
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "*/*")
	}
	response, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxOutput))
	if err != nil {
		return "", err
	}
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return string(body), fmt.Errorf("HTTP probe failed with statuscode: %d", response.StatusCode)
	}
	return string(body), nil
}

func dial(ctx context.Context, s *corev1.TCPSocketAction, t Target) error {
	p, err := port(s.Port, t.Container)
	if err != nil {
		return err
	}
	host := s.Host
	if host == "" {
		host = t.Address
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(p)))
	if err != nil {
		return err
	}
	return conn.Close()
}

func check(ctx context.Context, g *corev1.GRPCAction, t Target) error {
	address := net.JoinHostPort(t.Address, strconv.Itoa(int(g.Port)))
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUserAgent("kube-probe/1.37"))
	if err != nil {
		return err
	}
	defer conn.Close()
	response, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: g.GetService()})
	if err != nil {
		switch status.Code(err) {
		case codes.Unimplemented:
			return fmt.Errorf("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): %s", status.Convert(err).Message())
		case codes.DeadlineExceeded:
			return fmt.Errorf("timeout: failed to connect service %q within the probe's timeout: %w", address, err)
		}
		return fmt.Errorf("error: health rpc probe failed: %w", err)
	}
	if response.Status != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("service unhealthy (responded with %q)", response.Status)
	}
	return nil
}

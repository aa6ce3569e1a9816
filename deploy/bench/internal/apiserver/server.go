// Package apiserver runs the server under test as its own process, so that what it uses of the machine can be told
// from what the measuring client uses.
package apiserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startTimeout bounds the start, stopTimeout the stop.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 15 * time.Second
)

// Server is a running API server with an embedded etcd and an empty data directory of its own.
type Server struct {
	// REST and GRPC are the doors' addresses, Metrics is that of the process' own endpoint: host:port on loopback.
	REST, GRPC, Metrics string
	// CA, Cert and Key are files of the administrator's credentials.
	CA, Cert, Key string
	// Started is how long it took from nothing to open doors.
	Started time.Duration

	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended and err is set
	err  error
}

// Options of a start.
type Options struct {
	// Binary is the path of keelson-apiserver.
	Binary string
	// Parent is the directory in which the data directory is made; empty: the system's for temporary files. Whether
	// fsync costs anything depends on it.
	Parent string
	// Profiling serves /debug/pprof at Metrics.
	Profiling bool
}

// Start returns a server whose doors are open. The caller stops it.
func Start(ctx context.Context, o Options) (*Server, error) {
	dir, err := os.MkdirTemp(o.Parent, "keelson-bench-")
	if err != nil {
		return nil, err
	}
	const anyPort = "127.0.0.1:0"
	s := &Server{dir: dir, done: make(chan struct{})}
	file := func(name string) string { return filepath.Join(dir, "pki", name) }
	s.CA, s.Cert, s.Key = file("ca.crt"), file("admin.crt"), file("admin.key")
	s.cmd = exec.Command(o.Binary, "--data-dir", dir, "--rest-bind-address", anyPort, "--grpc-bind-address", anyPort,
		"--metrics-bind-address", anyPort, "--advertise-address", "127.0.0.1", "--log-format", "json",
		fmt.Sprintf("--profiling=%t", o.Profiling))
	// A benchmark that is killed takes its server along.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	serving := make(chan struct{})
	go s.follow(stderr, serving)
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case <-serving:
		s.Started = time.Since(began)
		return s, nil
	case <-s.done:
		err = fmt.Errorf("the API server ended at its start: %w", s.err)
	case <-timeout.C:
		err = fmt.Errorf("the API server did not serve within %s", startTimeout)
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(err, s.Stop())
}

// line is what is read of the server's log.
type line struct {
	Message string `json:"msg"`
	Address string `json:"address"`
	REST    string `json:"rest"`
	GRPC    string `json:"grpc"`
}

// follow reads the log until the process ends: it says where the doors are, and last why the server gave up.
func (s *Server) follow(log io.Reader, serving chan<- struct{}) {
	defer close(s.done)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	var last string
	open := false
	for lines.Scan() {
		var l line
		last = lines.Text()
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue
		}
		switch {
		case l.Message == "serving metrics and health":
			s.Metrics = l.Address
		case l.Message == "serving" && l.REST != "" && !open:
			s.REST, s.GRPC, open = l.REST, l.GRPC, true
			close(serving)
		}
	}
	// A line too long for the scanner must not block the server.
	_, _ = io.Copy(io.Discard, log)
	if s.err = s.cmd.Wait(); s.err != nil && last != "" {
		s.err = fmt.Errorf("%w; its last words: %s", s.err, last)
	}
}

// Dir is the data directory.
func (s *Server) Dir() string { return s.dir }

// Done is closed once the server has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop ends the server and removes its data.
func (s *Server) Stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-s.done:
	case <-timeout.C:
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	return errors.Join(s.err, os.RemoveAll(s.dir))
}

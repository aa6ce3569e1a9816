package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/apiserver"
	"github.com/keelson/keelson/deploy/bench/internal/codecbench"
	"github.com/keelson/keelson/deploy/bench/internal/machine"
	"github.com/keelson/keelson/deploy/bench/internal/report"
	"github.com/keelson/keelson/deploy/bench/internal/suite"
)

// bench is one run.
type bench struct {
	flags    flags
	progress io.Writer
	report   report.Report
}

func (b *bench) measure(ctx context.Context) error {
	b.fact("%s, %d CPUs, shared by server and client; load average %s when the run began", runtime.Version(), runtime.NumCPU(), machine.Load())
	if !b.flags.skipCodec {
		fmt.Fprintln(b.progress, "JSON codec: building and running the benchmarks of proto/compat")
		var err error
		if b.report.Codec, err = codecbench.Run(ctx, b.flags.compat, b.flags.codecRuns, b.flags.codecEach); err != nil {
			return err
		}
	}
	if b.flags.skipServer {
		return nil
	}
	return b.measureServer(ctx)
}

func (b *bench) measureServer(ctx context.Context) (err error) {
	s, err := apiserver.Start(ctx, apiserver.Options{Binary: filepath.Join(b.flags.bin, "keelson-apiserver"),
		Parent: b.flags.dataDir, Profiling: b.flags.profiling})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	fmt.Fprintf(b.progress, "API server: REST %s, gRPC %s\n", s.REST, s.GRPC)
	if b.flags.profiling {
		fmt.Fprintf(b.progress, "profiles at http://%s/debug/pprof/\n", s.Metrics)
	}
	idle, err := s.RSS()
	if err != nil {
		return err
	}
	o := b.flags.suite
	o.Deadline = time.Now().Add(b.flags.total)
	run, err := suite.New(s, o, b.progress)
	if err != nil {
		return err
	}
	defer run.Close()
	err = run.Run(ctx)
	b.report.Rows = run.Rows()
	b.facts(s, idle, run.Sizes())
	if err != nil {
		return err
	}
	if err := b.memory(s); err != nil {
		return err
	}
	b.report.Floors, err = run.Floors()
	b.report.Rows = run.Rows()
	return err
}

func (b *bench) fact(format string, args ...any) {
	b.report.Facts = append(b.report.Facts, fmt.Sprintf(format, args...))
}

// facts state what the figures depend on.
func (b *bench) facts(s *apiserver.Server, idle int64, sizes map[string]int) {
	o := b.flags.suite
	b.fact("one keelson-apiserver with embedded etcd and fsync, data on %s; open %s after its start, with %s resident",
		machine.Filesystem(s.Dir()), report.Duration(s.Started), report.Bytes(idle))
	rest := "HTTP/2, all workers on one connection"
	if o.HTTP1 {
		rest = "HTTP/1.1, one connection a worker"
	}
	b.fact("%d workers on loopback; TLS 1.3 with client certificates; REST: %s, no compression; gRPC: one connection; watchers: a connection of its own each, or 100 on one", o.Workers, rest)
	var stored []string
	for _, door := range []string{"REST JSON", "REST protobuf", "gRPC"} {
		if n := sizes[door]; n > 0 {
			stored = append(stored, fmt.Sprintf("%s %s", report.Thousands(n), strings.TrimPrefix(door, "REST ")))
		}
	}
	if stored != nil {
		b.fact("pods of 1.9 KB as posted in JSON; as returned, with defaults and managed fields: %s bytes", strings.Join(stored, ", "))
	}
	b.fact("server CPU is user and system time of the server's process, etcd included; peak RSS is its highest so far (VmHWM); lists and events are read but not decoded by the client; an event's latency is from before its update is sent until the watcher has read it")
}

// memory states what of the server's memory is its own.
func (b *bench) memory(s *apiserver.Server) error {
	all, err := s.RSS()
	if err != nil {
		return err
	}
	files, err := s.FileRSS()
	if err != nil {
		return err
	}
	b.fact("%s are resident at the end, of which %s are pages of the program's file and of etcd's, which the kernel takes back when it needs them",
		report.Bytes(all), report.Bytes(files))
	return nil
}

// verdict is an error where the codec misses its goal.
func (b *bench) verdict() error {
	var bad []string
	for _, r := range b.report.Codec {
		if !r.OK() {
			bad = append(bad, fmt.Sprintf("%s: %.1f x, required %.1f x", r.Name, r.Value(), r.Required))
		}
	}
	if bad != nil {
		return errors.New("the codec is too slow: " + strings.Join(bad, "; "))
	}
	return nil
}

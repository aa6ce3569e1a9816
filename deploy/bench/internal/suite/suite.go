// Package suite is the list of workloads that the API server is put through.
package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/apiserver"
	"github.com/keelson/keelson/deploy/bench/internal/door"
	"github.com/keelson/keelson/deploy/bench/internal/load"
	"github.com/keelson/keelson/deploy/bench/internal/report"
)

// Options say how much is done.
type Options struct {
	// Workers make requests side by side.
	Workers int
	// Creates is how many pods are created through each door; the same number is read and updated.
	Creates int
	// Objects is how many pods the lists return.
	Objects int
	// Lists is how often each list is made.
	Lists int
	// Watchers see every one of UpdatesPerSecond, for WatchFor.
	Watchers, UpdatesPerSecond int
	WatchFor                   time.Duration
	// Crowd is how many watchers see a few updates a second.
	Crowd int
	// Limit bounds a workload of many operations; Deadline is when no other is begun.
	Limit    time.Duration
	Deadline time.Time
	// Only, where set, chooses workloads by "<workload>, <door>".
	Only *regexp.Regexp
	// HTTP1 makes REST use HTTP/1.1.
	HTTP1 bool
	// Profiles, where set, is a directory that takes profiles of the server, each of the first ProfileFor of a workload.
	Profiles   string
	ProfileFor time.Duration
}

// Suite runs workloads against one server.
type Suite struct {
	o        Options
	server   *apiserver.Server
	doors    []door.Door
	grpc     *door.GRPC
	progress io.Writer
	rows     []report.Row
	// updateCPU is what an update through a door costs; sizes are the bytes of a stored pod, listed those of a list.
	updateCPU map[string]time.Duration
	// alonePace is what an update costs that nobody watches.
	alonePace map[pace]time.Duration
	sizes     map[string]int
	listed    map[string]int64
}

// stored is the namespace of the pods that are read, listed and watched.
const stored = "bench"

// New returns a suite for a server. Progress is told as it is made.
func New(s *apiserver.Server, o Options, progress io.Writer) (*Suite, error) {
	c := door.Credentials{CA: s.CA, Cert: s.Cert, Key: s.Key}
	json, err := door.NewREST(s.REST, c, false, o.HTTP1)
	if err != nil {
		return nil, err
	}
	protobuf, err := door.NewREST(s.REST, c, true, o.HTTP1)
	if err != nil {
		return nil, err
	}
	grpc, err := door.NewGRPC(s.GRPC, c)
	if err != nil {
		return nil, err
	}
	return &Suite{o: o, server: s, doors: []door.Door{json, protobuf, grpc}, grpc: grpc, progress: progress,
		updateCPU: map[string]time.Duration{}, alonePace: map[pace]time.Duration{}, sizes: map[string]int{}, listed: map[string]int64{}}, nil
}

// Close ends the connections.
func (s *Suite) Close() {
	for _, d := range s.doors {
		d.Close()
	}
}

// Run measures every workload through every door. An error is of the first operation that failed.
func (s *Suite) Run(ctx context.Context) error {
	for _, w := range []func(context.Context) error{
		s.creates, s.fill, s.gets, s.updates, s.patches, s.statuses, s.configMaps, s.applies,
		s.lists, s.forms, s.crowds, s.labels, s.watches, s.deletes,
	} {
		if err := w(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Rows are what has been measured so far.
func (s *Suite) Rows() []report.Row { return s.rows }

// each measures a workload through each door.
func (s *Suite) each(ctx context.Context, workload string, run func(context.Context, door.Door) (load.Result, string, error)) error {
	for _, d := range s.doors {
		if err := s.one(ctx, workload, d.Name(), func(ctx context.Context) (load.Result, string, error) { return run(ctx, d) }); err != nil {
			return err
		}
	}
	return nil
}

// one measures a workload: the result and a note are run's, processor time and memory are read around it. What run does
// before it calls begin and after it calls end is not counted.
func (s *Suite) one(ctx context.Context, workload, name string, run func(context.Context) (load.Result, string, error)) error {
	full := workload + ", " + name
	if s.o.Only != nil && !s.o.Only.MatchString(full) {
		return nil
	}
	row := report.Row{Workload: workload, Door: name}
	if !s.o.Deadline.IsZero() && time.Now().After(s.o.Deadline) {
		row.Note = "not measured: out of time"
		s.rows = append(s.rows, row)
		return nil
	}
	usage := &meter{server: s.server}
	if s.o.Profiles != "" {
		p := &profiler{address: s.server.Metrics, directory: s.o.Profiles, length: s.o.ProfileFor}
		usage.profile = func() func() error { return p.start(ctx, full) }
	}
	var err error
	if row.Result, row.Note, err = run(context.WithValue(ctx, meterKey{}, usage)); err != nil {
		select {
		case <-s.server.Done():
			err = errors.Join(err, errors.New("the API server has ended"))
		default:
		}
		return fmt.Errorf("%s: %w", full, err)
	}
	if row.CPU, err = usage.each(row.Done); err != nil {
		return err
	}
	row.Own = usage.own
	if usage.profiled != nil {
		if err := usage.profiled(); err != nil {
			return fmt.Errorf("profile of %s: %w", full, err)
		}
	}
	if row.PeakRSS, err = s.server.PeakRSS(); err != nil {
		return err
	}
	s.rows = append(s.rows, row)
	fmt.Fprintf(s.progress, "  %-60s %s in %s, server CPU %s each\n", full, report.Thousands(row.Done),
		report.Duration(row.Elapsed), report.Duration(row.CPU))
	return nil
}

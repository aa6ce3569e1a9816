package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/suite"
)

// flags of the command.
type flags struct {
	bin, compat, dataDir, markdown string
	skipCodec, skipServer          bool
	codecRuns                      int
	codecEach, total               time.Duration
	profiling                      bool
	suite                          suite.Options
}

func parse(args []string) (flags, error) {
	var f flags
	var only string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(os.Stderr)
	fs.StringVar(&f.bin, "bin", "../../bin", "directory of keelson-apiserver")
	fs.StringVar(&f.compat, "compat", "../../proto/compat", "module with the codec's benchmarks")
	fs.StringVar(&f.dataDir, "data-dir", "", "where the server's data are made, and removed afterwards; empty: the directory for temporary files")
	fs.StringVar(&f.markdown, "markdown", "", "file to write the result to; in one that exists only the part between its marks is replaced")
	fs.BoolVar(&f.skipCodec, "skip-codec", false, "leave the JSON codec out")
	fs.BoolVar(&f.skipServer, "skip-server", false, "leave the API server out")
	fs.IntVar(&f.codecRuns, "codec-runs", 7, "how often the benchmarks of the codec run; the fastest counts")
	fs.DurationVar(&f.codecEach, "codec-time", 200*time.Millisecond, "how long one run of them takes")
	fs.DurationVar(&f.total, "time", 260*time.Second, "no workload of the API server is begun after this time")
	fs.BoolVar(&f.profiling, "profiling", false, "let the server serve /debug/pprof, and say where")
	o := &f.suite
	fs.StringVar(&o.Profiles, "profiles", "", "directory for a profile of the server's processor time and memory for each workload; implies --profiling")
	fs.DurationVar(&o.ProfileFor, "profile-time", 3*time.Second, "how long each of them is")
	fs.IntVar(&o.Workers, "workers", 16, "clients that make requests side by side")
	fs.IntVar(&o.Creates, "creates", 2000, "pods created, read and updated through each door")
	fs.IntVar(&o.Objects, "objects", 10000, "pods that the lists return")
	fs.IntVar(&o.Lists, "lists", 5, "how often each list is made; ten times as often by label")
	fs.IntVar(&o.Watchers, "watchers", 200, "watchers, each on its own connection, and then 100 on one")
	fs.IntVar(&o.Crowd, "crowd", 1000, "watchers of a few updates a second, each on its own connection")
	fs.IntVar(&o.UpdatesPerSecond, "updates", 50, "updates a second while they watch")
	fs.DurationVar(&o.WatchFor, "watch-time", 5*time.Second, "how long they watch")
	fs.DurationVar(&o.Limit, "limit", 8*time.Second, "longest time of one workload through one door; it is cut off, and its rate is still good")
	fs.BoolVar(&o.HTTP1, "http1", false, "REST over HTTP/1.1, one connection a worker, instead of HTTP/2 on one connection")
	fs.StringVar(&only, "only", "", `regular expression of workloads, which are called "get pod, REST JSON"`)
	if err := fs.Parse(args); err != nil {
		return f, err
	}
	if fs.NArg() > 0 {
		return f, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	f.profiling = f.profiling || o.Profiles != ""
	for name, n := range map[string]int{"workers": o.Workers, "creates": o.Creates, "objects": o.Objects, "lists": o.Lists,
		"watchers": o.Watchers, "crowd": o.Crowd, "updates": o.UpdatesPerSecond, "codec-runs": f.codecRuns} {
		if n < 1 {
			return f, fmt.Errorf("--%s must be at least 1", name)
		}
	}
	if o.Objects > 999999 || o.Creates > 999999 {
		return f, errors.New("--objects and --creates must be less than a million")
	}
	if only != "" {
		var err error
		if o.Only, err = regexp.Compile(only); err != nil {
			return f, fmt.Errorf("--only: %w", err)
		}
	}
	return f, nil
}

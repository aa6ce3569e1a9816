// Package codecbench runs the benchmarks that hold Keelson's JSON codec against apimachinery's serializer. They live
// in proto/compat, the one module that imports Kubernetes; so they run as a process of their own.
package codecbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/report"
)

// Required is how many times faster the codec has to be.
const Required = 3

// pairs are what is compared: both sides of one line are measured in the same processes, in turn.
var pairs = []struct {
	name, theirs, ours string
	required           float64
}{
	{"encode: to JSON", "Encode/apimachinery", "Encode/codec", Required},
	{"encode, from stored protobuf on both sides", "Encode/apimachinery-protobuf", "Encode/codec", 0},
	{"decode: from JSON", "Decode/apimachinery", "Decode/codec", Required},
	{"decode, strict", "Decode/apimachinery-strict", "Decode/codec-strict", Required},
	{"decode, to stored protobuf on both sides", "Decode/apimachinery-protobuf", "Decode/codec", 0},
}

// Run builds the benchmarks of the module in dir, runs them all so many times and returns the ratios.
func Run(ctx context.Context, dir string, runs int, each time.Duration) (ratio []report.Ratio, err error) {
	tmp, err := os.MkdirTemp("", "keelson-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	binary := filepath.Join(tmp, "compat.test")
	if _, err := command(ctx, dir, "go", "test", "-c", "-o", binary, "."); err != nil {
		return nil, err
	}
	all := map[string][]time.Duration{}
	for range runs {
		// One process after the other: both sides of a ratio see the same moments of a busy machine.
		out, err := command(ctx, dir, binary, "-test.run", "^$", "-test.bench", "^Benchmark(Encode|Decode)$/^(apimachinery|codec)",
			"-test.benchtime", each.String())
		if err != nil {
			return nil, err
		}
		for name, times := range parse(out) {
			all[name] = append(all[name], times...)
		}
	}
	return ratios(all)
}

// command returns what a program writes.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s in %s: %w\n%s%s", filepath.Base(name), dir, err, errs.Bytes(), out.Bytes())
	}
	return out.String(), nil
}

// result is a line such as "BenchmarkEncode/codec-2   12345   6789 ns/op   ...".
var result = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op`)

// parse returns every time that was measured, by the benchmark's name.
func parse(out string) map[string][]time.Duration {
	all := map[string][]time.Duration{}
	for _, m := range result.FindAllStringSubmatch(out, -1) {
		if ns, err := strconv.ParseFloat(m[2], 64); err == nil {
			all[m[1]] = append(all[m[1]], time.Duration(ns))
		}
	}
	return all
}

// ratios compares the fastest runs: what else happens on the machine can only make a run slower.
func ratios(all map[string][]time.Duration) ([]report.Ratio, error) {
	var out []report.Ratio
	var missing []string
	for _, p := range pairs {
		theirs, ours := all[p.theirs], all[p.ours]
		if len(theirs) == 0 || len(ours) == 0 {
			missing = append(missing, p.theirs+" or "+p.ours)
			continue
		}
		out = append(out, report.Ratio{Name: p.name, Theirs: slices.Min(theirs), Ours: slices.Min(ours), Required: p.required})
	}
	if missing != nil {
		return nil, errors.New("the benchmarks did not measure " + strings.Join(missing, ", "))
	}
	return out, nil
}

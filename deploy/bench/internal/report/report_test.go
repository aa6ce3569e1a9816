package report

import (
	"strings"
	"testing"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/load"
)

func sample() *Report {
	return &Report{
		Facts: []string{"2 cores"},
		Codec: []Ratio{{Name: "encode", Theirs: 45 * time.Microsecond, Ours: 9 * time.Microsecond, Required: 3}},
		Rows: []Row{
			{Workload: "create pod", Door: "REST JSON", Result: load.Result{Done: 2000, Elapsed: time.Second, P50: 7 * time.Millisecond, P99: 12345 * time.Microsecond},
				CPU: 512 * time.Microsecond, PeakRSS: 200 << 20, Note: "once"},
			{Workload: "get pod", Door: "gRPC", Note: "not measured: out of time"},
		},
	}
}

func TestText(t *testing.T) {
	var b strings.Builder
	if err := sample().Text(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"5.0 x", ">= 3.0", "2,000/s", "7.00 ms", "12.3 ms", "512 us", "200 MiB", "565/s", "2.80 ms", "700 us", "yes",
		"create pod, REST JSON: once", "not measured: out of time", "Only ratios measured in one run count"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
}

func TestMarkdownTablesAreRegular(t *testing.T) {
	var b strings.Builder
	if err := sample().Markdown(&b); err != nil {
		t.Fatal(err)
	}
	columns := 0
	for l := range strings.Lines(b.String()) {
		if !strings.HasPrefix(l, "|") {
			columns = 0
			continue
		}
		n := strings.Count(l, "|")
		if columns != 0 && n != columns {
			t.Errorf("%d columns instead of %d: %s", n, columns, l)
		}
		columns = n
	}
}

func TestRatio(t *testing.T) {
	r := Ratio{Theirs: 29, Ours: 10, Required: 3}
	if r.OK() || r.Value() != 2.9 {
		t.Errorf("%v is good enough", r.Value())
	}
}

func TestFormats(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "-", 400: "400 ns", 46 * time.Microsecond: "46.0 us", 1500 * time.Millisecond: "1.50 s"} {
		if got := Duration(d); got != want {
			t.Errorf("%d is written %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int]string{7: "7", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d is written %q", n, got)
		}
	}
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		workload, door string
		floor, want    time.Duration
	}{
		{"create pod", "REST JSON", 0, 700 * us}, {"create pod", "REST protobuf", 0, 475 * us}, {"create pod", "gRPC", 0, 280 * us},
		{"get pod", "gRPC", 0, 67 * us}, {"list 10,000 pods", "REST JSON", 30 * ms, 790 * ms / 6}, {"list 10,000 pods", "REST protobuf", 30 * ms, 45 * ms},
		{"list 10,000 pods", "gRPC", 20 * ms, 79 * ms}, {"create ConfigMap", "REST JSON", 0, 0}, {"event to one of 200 watchers, 50 updates/s", "gRPC", 6 * us, 9 * us},
	} {
		if got := goal(c.workload, c.door, c.floor); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.workload, c.door, got, c.want)
		}
	}
	r := Row{Workload: "get pod", Door: "REST JSON", CPU: 335 * us}
	if got := r.reached(); got != "no: 2.0 x" {
		t.Error(got)
	}
	if r.CPU = 100 * us; r.reached() != "yes" {
		t.Error(r.reached())
	}
}

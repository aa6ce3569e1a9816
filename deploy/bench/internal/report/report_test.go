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
	for _, want := range []string{"5.0 x", ">= 3.0", "2,000/s", "7.00 ms", "12.3 ms", "512 us", "200 MiB", "565/s", "2.8 ms",
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

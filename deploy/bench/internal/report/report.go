// Package report shows what was measured, on a terminal and as Markdown, beside what was measured of Kubernetes.
package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/load"
)

// Row is one measurement.
type Row struct {
	// Workload and Door together name it.
	Workload, Door string
	load.Result
	// CPU of the server for one operation.
	CPU time.Duration
	// Own is CPU without that of other operations which the workload needs, where that is not all of it.
	Own time.Duration
	// Floor is what bare TLS costs for the same bytes; 0 where it was not measured.
	Floor time.Duration
	// PeakRSS of the server until then, in bytes.
	PeakRSS int64
	// Note says what the columns do not.
	Note string
}

// Report is everything that was measured.
type Report struct {
	// Facts state the circumstances, a line each.
	Facts []string
	// Codec holds the rows of the codec's table, Floors those of bare TLS.
	Codec  []Ratio
	Floors []string
	Rows   []Row
}

// Ratio compares the time of one operation with apimachinery's of the same.
type Ratio struct {
	Name         string
	Theirs, Ours time.Duration
	// Required is the least ratio that is good enough; 0 where none is asked for.
	Required float64
}

// Value is how many times faster ours is.
func (r Ratio) Value() float64 { return float64(r.Theirs) / float64(r.Ours) }

// OK tells whether the ratio is as good as required.
func (r Ratio) OK() bool { return r.Value() >= r.Required }

// table is a heading and rows of equal length.
type table struct {
	heading []string
	rows    [][]string
}

func (r *Report) codec() table {
	t := table{heading: []string{"one pod", "apimachinery", "Keelson", "ratio", "required"}}
	for _, c := range r.Codec {
		required := "-"
		if c.Required > 0 {
			required = fmt.Sprintf(">= %.1f", c.Required)
		}
		t.rows = append(t.rows, []string{c.Name, duration(c.Theirs), duration(c.Ours), fmt.Sprintf("%.1f x", c.Value()), required})
	}
	return t
}

func (r *Report) server() table {
	t := table{heading: []string{"workload", "door", "rate", "p50", "p99", "server CPU each", "goal", "reached", "peak RSS", "kube-apiserver (elsewhere)", "its CPU each"}}
	for _, row := range r.Rows {
		if row.Done == 0 {
			t.rows = append(t.rows, []string{row.Workload, row.Door, row.Note, "", "", "", "", "", "", "", ""})
			continue
		}
		ref := reference[key{row.Workload, row.Door}]
		t.rows = append(t.rows, []string{row.Workload, row.Door, rate(row.Rate()), duration(row.P50), duration(row.P99),
			duration(row.CPU), duration(goal(row.Workload, row.Door, row.Floor)), row.reached(), bytesText(row.PeakRSS), orDash(ref.figure), duration(ref.cpu)})
	}
	return t
}

// reached tells whether the goal is, or by how much it is missed.
func (r *Row) reached() string {
	g, cpu := goal(r.Workload, r.Door, r.Floor), r.CPU
	if r.Own > 0 {
		cpu = r.Own
	}
	switch {
	case g == 0:
		return "-"
	case cpu <= g:
		return "yes"
	}
	return fmt.Sprintf("no: %.1f x", float64(cpu)/float64(g))
}

// notes are those of the rows.
func (r *Report) notes() []string {
	var out []string
	for _, row := range r.Rows {
		if row.Note != "" && row.Done > 0 {
			out = append(out, fmt.Sprintf("%s, %s: %s", row.Workload, row.Door, row.Note))
		}
	}
	return out
}

// closing says what the figures of Kubernetes are worth, where there are some.
func (r *Report) closing() string {
	if len(r.Rows) == 0 {
		return ""
	}
	return "\n" + elsewhere + "\n"
}

// Text writes the report for a terminal.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	section := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\n%s\n", title)
		}
		for _, l := range lines {
			fmt.Fprintf(&b, "  %s\n", l)
		}
	}
	aligned := func(title string, t table) {
		if len(t.rows) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, row := range append([][]string{t.heading}, t.rows...) {
			fmt.Fprintf(tw, "  %s\n", strings.Join(row, "\t"))
		}
		_ = tw.Flush()
	}
	aligned("JSON codec, in one run with apimachinery's serializer", r.codec())
	section("Circumstances", r.Facts)
	aligned("API server with embedded etcd", r.server())
	section("Notes", r.notes())
	section("Bare TLS", r.Floors)
	b.WriteString(r.closing())
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown writes the report as sections of a document.
func (r *Report) Markdown(w io.Writer) error {
	var b strings.Builder
	list := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\n### %s\n\n", title)
		}
		for _, l := range lines {
			fmt.Fprintf(&b, "- %s\n", l)
		}
	}
	grid := func(title string, t table) {
		if len(t.rows) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n### %s\n\n| %s |\n|%s\n", title, strings.Join(t.heading, " | "), strings.Repeat(" --- |", len(t.heading)))
		for _, row := range t.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	grid("JSON codec, in one run with apimachinery's serializer", r.codec())
	list("Circumstances", r.Facts)
	grid("API server with embedded etcd", r.server())
	list("Notes", r.notes())
	list("Bare TLS", r.Floors)
	b.WriteString(r.closing())
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

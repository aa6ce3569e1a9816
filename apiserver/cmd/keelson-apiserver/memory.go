package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The heap may grow by heapShare percent of what is alive before it is collected, at least by heapLeast. Most of what lives
// are objects' bytes, which the collector marks without looking into them: to collect more often than by default costs some
// percent of a write, and saves most of the memory that nobody uses. A small heap fills up in no time; hence the least.
const (
	heapShare = 25
	heapLeast = 40 << 20
)

// boundMemory applies them from now on, unless whoever starts the process has decided otherwise.
func boundMemory() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		(&pacer{percent: 100}).collected()
	}
}

// pacer sets the collector's goal anew after each collection.
type pacer struct {
	percent int
	sample  [1]metrics.Sample
}

// cycle is garbage from the start: its end is that of a collection.
type cycle struct{ _ [32]byte }

func (p *pacer) collected() {
	p.sample[0].Name = "/gc/heap/live:bytes"
	metrics.Read(p.sample[:])
	if p.sample[0].Value.Kind() == metrics.KindUint64 {
		percent := heapPercent(p.sample[0].Value.Uint64())
		// To set it stops the world for a moment: not for nothing.
		if d := percent - p.percent; d > p.percent/10 || -d > p.percent/10 {
			p.percent = percent
			debug.SetGCPercent(percent)
		}
	}
	runtime.AddCleanup(new(cycle), (*pacer).collected, p)
}

// heapPercent is the growth in percent of what is alive.
func heapPercent(live uint64) int {
	return int(min(max(heapShare, 100*heapLeast/max(live, 1)), 400))
}

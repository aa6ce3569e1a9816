package main

import (
	"os"
	"runtime/debug"
)

// heapGrowth is how much the heap may grow, in percent of what is alive, before it is collected. Most of what lives are
// objects' bytes, which the collector marks without looking into them: collecting more often than by default costs
// some percent of a write and saves most of the memory that is not in use.
const heapGrowth = 30

// boundMemory applies it, unless whoever starts the process has decided otherwise.
func boundMemory() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}

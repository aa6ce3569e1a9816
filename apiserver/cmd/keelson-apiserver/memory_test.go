package main

import "testing"

func TestHeapGrowsByAShareButNotTooLittle(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{0: 400, 5 * mib: 400, 40 * mib: 100, 80 * mib: 50, 160 * mib: 25, 1 << 40: 25} {
		if got := heapPercent(live); got != want {
			t.Errorf("%d MiB alive: %d%%, want %d%%", live/mib, got, want)
		}
	}
}

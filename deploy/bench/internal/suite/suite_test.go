package suite

import (
	"testing"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
)

func TestCohortCountsThePodsOfALabel(t *testing.T) {
	for _, n := range []int{1, 99, 100, 101, 350, 10000} {
		count := map[string]int{}
		for i := range n {
			count[pods.Cohort(i)]++
		}
		for i := range pods.Cohorts {
			if got, want := cohort(n, i), count[pods.Cohort(i)]; got != want {
				t.Errorf("of %d pods %s selects %d, want %d", n, pods.Cohort(i), got, want)
			}
		}
	}
}

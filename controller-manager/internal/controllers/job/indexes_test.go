package job

import (
	"slices"
	"testing"
)

func TestIndexes(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""}, {"0", "0"}, {"0,1", "0,1"}, {"0-2,3", "0-3"}, {"5,1-2", "1,2,5"}, {"1-3,2-6,x,-4,9-", "1-6"},
		{"8-30", "8-11"}, {"12", ""},
	} {
		if got := parseIndexes(tc.in, 12).String(); got != tc.want {
			t.Errorf("%q becomes %q, want %q", tc.in, got, tc.want)
		}
	}
	x := parseIndexes("0,2-4,7", 10)
	if got := x.union(indexesOf([]int{1, 9, 5})).String(); got != "0-5,7,9" {
		t.Errorf("union %s", got)
	}
	if x.len() != 5 || !x.has(3) || x.has(1) || x.has(8) || !x.has(0) || !x.has(7) {
		t.Errorf("%v: len %d", x, x.len())
	}
	if n := x.common(parseIndexes("3-7", 10)); n != 3 {
		t.Errorf("%d in common", n)
	}
	if got := x.missing(3, 10); !slices.Equal(got, []int{1, 5, 6}) {
		t.Errorf("missing %v", got)
	}
	if got := x.missing(30, 10); !slices.Equal(got, []int{1, 5, 6, 8, 9}) {
		t.Errorf("missing %v", got)
	}
	if got := indexes(nil).missing(2, 1); len(got) != 1 || got[0] != 0 {
		t.Errorf("missing of nothing: %v", got)
	}
}

package watchcache

import (
	"strings"
	"testing"

	"github.com/keelson/keelson/proto/pipeline/item"
)

// Pages go on from the store's history where a snapshot is gone: both must have the same order.
func TestOrderIsThatOfKeys(t *testing.T) {
	all := []item.Item{
		{Namespace: "a", Name: "x"}, {Namespace: "a-b", Name: "x"}, {Namespace: "a0", Name: "a"}, {Namespace: "a", Name: "x-1"},
		{Namespace: "a.b", Name: "x"}, {Namespace: "aa", Name: "b"}, {Namespace: "b", Name: "a"}, {Namespace: "a", Name: "x.1"},
	}
	for i := range all {
		for j := range all {
			a, b := &all[i], &all[j]
			want := strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) < 0
			if less(a, b) != want {
				t.Errorf("%s/%s < %s/%s: got %v", a.Namespace, a.Name, b.Namespace, b.Name, !want)
			}
		}
	}
}

func TestRingForgetsTheOldest(t *testing.T) {
	r := ring{limit: 3, oldest: 10}
	for rev := int64(11); rev <= 15; rev++ {
		r.add(&change{revision: rev})
	}
	if r.oldest != 12 {
		t.Fatalf("watches can start from %d", r.oldest)
	}
	for after, want := range map[int64]int{12: 3, 13: 2, 15: 0, 20: 0} {
		n := 0
		if !r.after(after, func(*change) { n++ }) || n != want {
			t.Errorf("after %d: %d changes, want %d", after, n, want)
		}
	}
	if r.after(11, func(*change) {}) {
		t.Error("a watch missed a change")
	}
}

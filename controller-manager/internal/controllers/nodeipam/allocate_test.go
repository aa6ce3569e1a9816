package nodeipam

import (
	"net/netip"
	"testing"
)

func TestNext(t *testing.T) {
	for _, tc := range []struct {
		cluster string
		bits    int
		taken   []string
		want    string
	}{
		{"10.244.0.0/16", 24, nil, "10.244.0.0/24"},
		{"10.244.0.0/16", 24, []string{"10.244.0.0/24", "10.244.2.0/24"}, "10.244.1.0/24"},
		{"10.244.0.0/16", 24, []string{"10.244.0.0/25", "10.244.1.0/24"}, "10.244.2.0/24"},
		{"10.244.0.0/16", 24, []string{"10.244.0.0/20"}, "10.244.16.0/24"},
		{"10.244.0.0/23", 24, []string{"10.244.0.0/24", "10.244.1.0/24"}, ""},
		{"255.255.255.0/24", 24, []string{"255.255.255.0/24"}, ""},
		{"fd00::/48", 64, []string{"fd00::/64"}, "fd00:0:0:1::/64"},
		{"10.244.7.9/16", 24, nil, "10.244.0.0/24"},
	} {
		pool, err := NewPool(tc.cluster, tc.bits)
		if err != nil {
			t.Fatal(err)
		}
		var taken []netip.Prefix
		for _, s := range tc.taken {
			taken = append(taken, netip.MustParsePrefix(s))
		}
		got, ok := pool.Next(taken)
		if ok != (tc.want != "") || (ok && got.String() != tc.want) {
			t.Errorf("Next(%s/%d, %v) = %v, %v, want %q", tc.cluster, tc.bits, tc.taken, got, ok, tc.want)
		}
	}
	for _, bad := range []struct {
		cluster string
		bits    int
	}{{"10.244.0.0", 24}, {"10.244.0.0/24", 16}, {"10.244.0.0/24", 33}} {
		if _, err := NewPool(bad.cluster, bad.bits); err == nil {
			t.Errorf("NewPool(%s, %d) was accepted", bad.cluster, bad.bits)
		}
	}
}

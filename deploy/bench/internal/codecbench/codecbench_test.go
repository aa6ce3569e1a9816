package codecbench

import (
	"testing"
	"time"
)

const output = `goos: linux
pkg: github.com/keelson/keelson/proto/compat
BenchmarkEncode/apimachinery-2         	   10000	    108000 ns/op	  59.00 MB/s	    5000 B/op	      10 allocs/op
BenchmarkEncode/apimachinery-2         	   10000	    900000 ns/op
BenchmarkEncode/apimachinery-2         	   10000	     100000.5 ns/op
BenchmarkEncode/apimachinery-protobuf-2	   10000	    120000 ns/op
BenchmarkEncode/codec-2                	   10000	     10000 ns/op
BenchmarkDecode/apimachinery-2         	   10000	    200000 ns/op
BenchmarkDecode/apimachinery-strict-2  	   10000	    300000 ns/op
BenchmarkDecode/apimachinery-protobuf-2	   10000	    240000 ns/op
BenchmarkDecode/codec-2                	   10000	     50000 ns/op
BenchmarkDecode/codec-strict-2         	   10000	    150000 ns/op
PASS
`

func TestRatios(t *testing.T) {
	got, err := ratios(parse(output))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		ratio float64
		ok    bool
	}{{10, true}, {12, true}, {4, true}, {2, false}, {4.8, true}}
	for i, w := range want {
		if got[i].Value() != w.ratio || got[i].OK() != w.ok {
			t.Errorf("%s: %v, %v; want %v, %v", got[i].Name, got[i].Value(), got[i].OK(), w.ratio, w.ok)
		}
	}
	if got[0].Theirs != 100*time.Microsecond {
		t.Errorf("the fastest run is %s", got[0].Theirs)
	}
}

func TestMissingResultsAreTold(t *testing.T) {
	if _, err := ratios(parse("PASS\n")); err == nil {
		t.Error("no error")
	}
}

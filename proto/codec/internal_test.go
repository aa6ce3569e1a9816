package codec

import (
	"math/rand"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// TestTimes compares the fast paths with package time over the whole range.
func TestTimes(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 200000 {
		sec := rng.Int63n(2*253402300800) - 253402300800
		nsec := rng.Int31n(1e9)
		at := time.Unix(sec, int64(nsec)).UTC()
		if at.IsZero() {
			continue
		}
		if got, want := string(appendTime(nil, sec, nsec, false)), strconv.Quote(at.Format(time.RFC3339)); got != want {
			t.Fatalf("%d: %s, want %s", sec, got, want)
		}
		if got, want := string(appendTime(nil, sec, nsec, true)), strconv.Quote(at.Format(micro)); got != want {
			t.Fatalf("%d: %s, want %s", sec, got, want)
		}
		text := at.Format(time.RFC3339)
		if len(text) != 20 {
			continue
		}
		if got, _, err := parseTime([]byte(text), false); err != nil || got != sec {
			t.Fatalf("%s: %d %v, want %d", text, got, err, sec)
		}
	}
	for _, bad := range []string{"2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-0xT00:00:00Z", ""} {
		if _, _, err := parseTime([]byte(bad), false); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// TestCanonicalQuantity: what the fast path lets through is what the slow path would give.
func TestCanonicalQuantity(t *testing.T) {
	fast := 0
	for n := range 5000 {
		for _, suffix := range []string{"", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "n", "u", "e3"} {
			for _, number := range []string{strconv.Itoa(n), "0" + strconv.Itoa(n), strconv.Itoa(n * 999983)} {
				s := number + suffix
				if !canonicalQuantity([]byte(s)) {
					continue
				}
				fast++
				q, err := resource.ParseQuantity(s)
				if err != nil {
					t.Fatalf("%s: %v", s, err)
				}
				if number, suffix := q.CanonicalizeBytes(nil); string(number)+string(suffix) != s {
					t.Fatalf("%s is canonically %s%s", s, number, suffix)
				}
			}
		}
	}
	if fast < 40000 {
		t.Errorf("only %d quantities took the fast path", fast)
	}
}

func TestPlainRun(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 200000 {
		s := make([]byte, rng.Intn(40))
		for i := range s {
			if s[i] = byte(rng.Intn(256)); rng.Intn(3) > 0 {
				s[i] = 'a'
			}
		}
		want, wide := 0, false
		for want < len(s) && s[want] >= 0x20 && s[want] != '"' && s[want] != '\\' {
			wide = wide || s[want] >= 0x80
			want++
		}
		got, gotWide := plainRun(s)
		if got != want || wide && !gotWide {
			t.Fatalf("%q: %d %v, want %d %v", s, got, gotWide, want, wide)
		}
	}
}

// Strings of all lengths are the same whether they are copied by words or piece by piece, and wherever they are put.
func TestAppendString(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 200000 {
		s := make([]byte, rng.Intn(40))
		for i := range s {
			s[i] = byte('a' + rng.Intn(26))
		}
		if len(s) > 0 && rng.Intn(2) == 0 {
			s[rng.Intn(len(s))] = byte(rng.Intn(256))
		}
		dst := make([]byte, 3, 3+rng.Intn(60))
		want := append(appendEscaped(append(dst[:3:3], '"'), s), '"')
		if got := appendString(dst, s); string(got) != string(want) {
			t.Fatalf("%q: %q, want %q", s, got, want)
		}
	}
}

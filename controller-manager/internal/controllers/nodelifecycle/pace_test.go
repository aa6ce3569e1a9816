package nodelifecycle

import (
	"testing"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

func nodes(zone string, ready, unready int) []*corev1.Node {
	var out []*corev1.Node
	for i := range ready + unready {
		n := node("Unknown")
		if i < ready {
			n = node("True")
		}
		n.Metadata.Labels = map[string]string{labelZone: zone}
		out = append(out, n)
	}
	return out
}

func TestInterval(t *testing.T) {
	for _, tc := range []struct {
		name  string
		nodes []*corev1.Node
		want  time.Duration
		ok    bool
	}{
		{"one of three", nodes("a", 2, 1), 10 * time.Second, true},
		{"two of three are too few to judge by", nodes("a", 1, 2), 10 * time.Second, true},
		{"most of a small cluster", nodes("a", 2, 3), 0, false},
		{"most of a zone of a large cluster", append(nodes("a", 2, 3), nodes("b", 60, 0)...), 100 * time.Second, true},
		{"a whole zone", append(nodes("a", 0, 5), nodes("b", 3, 0)...), 10 * time.Second, true},
		{"another zone's trouble", append(nodes("a", 4, 1), nodes("b", 1, 9)...), 10 * time.Second, true},
	} {
		got, ok := DefaultPace().interval("/a", tc.nodes)
		if got != tc.want || ok != tc.ok {
			t.Errorf("%s: %s, %v, want %s, %v", tc.name, got, ok, tc.want, tc.ok)
		}
	}
}

func TestPacer(t *testing.T) {
	p := newPacer()
	if wait := p.take("a", "n1", 10*time.Second, now); wait != 0 {
		t.Errorf("the first waits %s", wait)
	}
	if wait := p.take("a", "n2", 10*time.Second, now.Add(4*time.Second)); wait != 6*time.Second {
		t.Errorf("the second waits %s", wait)
	}
	if wait := p.take("b", "n3", 10*time.Second, now); wait != 0 {
		t.Errorf("another zone waits %s", wait)
	}
	if wait := p.take("a", "n1", 10*time.Second, now.Add(4*time.Second)); wait != 0 {
		t.Errorf("the first waits %s when it asks again", wait)
	}
	if wait := p.take("a", "n2", 10*time.Second, now.Add(10*time.Second)); wait != 0 {
		t.Errorf("later it waits %s", wait)
	}
}

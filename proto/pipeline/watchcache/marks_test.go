package watchcache

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/schema"
)

func labelled(t testing.TB, n int, labels map[string]string) *item.Item {
	t.Helper()
	raw, err := proto.Marshal(&corev1.Pod{Metadata: &metav1.ObjectMeta{Labels: labels}})
	if err != nil {
		t.Fatal(err)
	}
	pods, _ := schema.Builtin().ByKind("", "v1", "Pod")
	it, err := item.New(pods, raw, 1, fmt.Sprintf("ns%d", n%3), fmt.Sprintf("p%05d", n))
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func TestMarksLeaveOutNothingThatMatches(t *testing.T) {
	tr := newTree()
	const n = 3000
	for i := range n {
		tr.put(labelled(t, i, map[string]string{"app": "web", "shard": fmt.Sprint(i % 100), "id": fmt.Sprint(i)}))
	}
	s := &Snapshot{tree: tr}
	for _, namespace := range []string{"", "ns0", "ns1", "ns2"} {
		seen, visited := map[string]bool{}, 0
		s.WalkMarked(namespace, Position{}, []Marks{Mark("shard", "7"), Mark("shard", "8")}, func(it *item.Item) bool {
			visited++
			if namespace != "" && it.Namespace != namespace {
				t.Fatalf("%s is not of %s", it.Namespace, namespace)
			}
			if v, _ := it.Label("shard"); v == "7" || v == "8" {
				seen[it.Name] = true
			}
			return true
		})
		want := 0
		for i := range n {
			if (i%100 == 7 || i%100 == 8) && (namespace == "" || namespace == fmt.Sprintf("ns%d", i%3)) {
				want++
			}
		}
		if len(seen) != want {
			t.Errorf("%q: %d of %d", namespace, len(seen), want)
		}
		if visited > want*8 {
			t.Errorf("%q: %d objects visited for %d", namespace, visited, want)
		}
	}
}

func TestMarksFollowChanges(t *testing.T) {
	tr := newTree()
	tr.put(labelled(t, 1, map[string]string{"a": "1"}))
	before := (&Snapshot{tree: tr.clone()})
	if old := tr.put(labelled(t, 1, map[string]string{"a": "2"})); old == nil {
		t.Fatal("nothing was replaced")
	}
	count := func(s *Snapshot, v string) (n int) {
		s.WalkMarked("", Position{}, []Marks{Mark("a", v)}, func(it *item.Item) bool {
			if got, _ := it.Label("a"); got == v {
				n++
			}
			return true
		})
		return n
	}
	now := &Snapshot{tree: tr}
	if count(before, "1") != 1 || count(before, "2") != 0 || count(now, "1") != 0 || count(now, "2") != 1 {
		t.Error("a snapshot has changed, or the tree has not")
	}
	if tr.remove("ns1", "p00001") == nil || count(now, "2") != 0 {
		t.Error("what is removed is still there")
	}
}

func BenchmarkWalkMarked(b *testing.B) {
	tr := newTree()
	for i := range 10000 {
		tr.put(labelled(b, i, map[string]string{"app": "web", "shard": fmt.Sprint(i % 100), "tier": "x", "hash": fmt.Sprint(i % 20)}))
	}
	s := &Snapshot{tree: tr}
	for name, any := range map[string][]Marks{"marks": {Mark("shard", "7")}, "all": nil} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				s.WalkMarked("", Position{}, any, func(it *item.Item) bool {
					if v, _ := it.Label("shard"); v == "7" {
						n++
					}
					return true
				})
				if n != 100 {
					b.Fatal(n)
				}
			}
		})
	}
}

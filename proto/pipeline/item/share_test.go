package item

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"weak"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// madeAt is a pod that its maker has written at a time.
func madeAt(t testing.TB, name string, seconds int64) *Item {
	t.Helper()
	pod := testPod()
	pod.Metadata.Name = name
	for _, e := range managed {
		e = proto.Clone(e).(*metav1.ManagedFieldsEntry)
		e.Time = &metav1.Time{Seconds: proto.Int64(seconds)}
		pod.Metadata.ManagedFields = append(pod.Metadata.ManagedFields, e)
	}
	raw, err := Encode(pod)
	if err != nil {
		t.Fatal(err)
	}
	it, err := New(podKind(t), raw, seconds, "n", name)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw) // New has promised not to keep it
	return it
}

// What one manager has in two objects is in memory once, and each is what it was.
func TestManagedFieldsAreShared(t *testing.T) {
	a, b := madeAt(t, "a", 100), madeAt(t, "b", 200)
	if len(a.cuts) != 1 || len(b.cuts) != 1 || a.cuts[0].piece != b.cuts[0].piece {
		t.Fatalf("cuts are %v and %v", a.cuts, b.cuts)
	}
	later := b.At(300)
	if len(later.cuts) != 1 || later.cuts[0].piece != a.cuts[0].piece {
		t.Errorf("at another revision: %v", later.cuts)
	}
	for _, it := range []*Item{a, b, later} {
		pod := &corev1.Pod{}
		if err := it.Unmarshal(pod); err != nil {
			t.Fatal(err)
		}
		if m := pod.Metadata; m.Name != it.Name || m.ResourceVersion != fmt.Sprint(it.Revision) || len(m.ManagedFields) != len(managed) {
			t.Errorf("%s is %v", it.Name, m)
		}
		for n, e := range pod.Metadata.ManagedFields {
			if !bytes.Equal(e.FieldsV1.GetRaw(), managed[n].FieldsV1.GetRaw()) || e.Subresource != managed[n].Subresource {
				t.Errorf("%s: entry %d is %v", it.Name, n, e)
			}
		}
	}
}

// A piece lives as long as an object that has it, and the table does not grow with those that were.
func TestPiecesAreForgotten(t *testing.T) {
	table := &table{entries: map[uint64]weak.Pointer[piece]{}}
	kept := table.of([]byte("kept"))
	for n := range 100 {
		table.of(fmt.Append(nil, n))
	}
	for range 100 { // cleanups run some time after a collection
		runtime.GC()
		table.mu.Lock()
		n := len(table.entries)
		table.mu.Unlock()
		if n == 1 {
			break
		}
		runtime.Gosched()
	}
	if len(table.entries) != 1 || table.of([]byte("kept")) != kept {
		t.Errorf("%d entries are left", len(table.entries))
	}
	runtime.KeepAlive(kept)
}

// Of two pieces with one hash, one is not shared; neither is taken for the other.
func TestPiecesOfOneHash(t *testing.T) {
	table := &table{entries: map[uint64]weak.Pointer[piece]{}}
	a := table.of([]byte("a"))
	for hash, w := range table.entries {
		delete(table.entries, hash)
		table.entries[table.hash([]byte("b"))] = w
	}
	if b := table.of([]byte("b")); string(b.bytes) != "b" || string(a.bytes) != "a" {
		t.Errorf("got %q and %q", a.bytes, b.bytes)
	}
}

func TestPiecesOfManyAtOnce(t *testing.T) {
	table := &table{entries: map[uint64]weak.Pointer[piece]{}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range 2000 {
				want := fmt.Append(nil, n%50)
				if p := table.of(want); !bytes.Equal(p.bytes, want) {
					t.Errorf("got %q, want %q", p.bytes, want)
				}
				if n%500 == 0 {
					runtime.GC()
				}
			}
		})
	}
	wg.Wait()
}

package watchcache

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/schema"
)

func revisions(r *ring, after int64) (got []int64, ok bool) {
	ok = r.after(after, func(ch *change) { got = append(got, ch.revision) })
	return got, ok
}

// However large changes are, those that are left are the latest without a gap, and the ring knows where they begin.
func TestRingForgetsByNumberAndBySize(t *testing.T) {
	pods, _ := schema.Builtin().ByKind("", "v1", "Pod")
	for _, size := range []int{0, 100, 10 << 10, 60 << 10} {
		old, err := item.New(pods, protowire.AppendBytes(protowire.AppendTag(nil, 100, protowire.BytesType), make([]byte, size)), 1, "n", "p")
		if err != nil {
			t.Fatal(err)
		}
		r := ring{limit: 2000}
		r.reset(10)
		for rev := int64(11); rev <= 6000; rev++ {
			ch := &change{revision: rev}
			if rev%3 != 0 && size > 0 { // creations keep nothing alive
				ch.old = old
			}
			r.add(ch)
			if rev%500 != 0 {
				continue
			}
			if _, ok := revisions(&r, r.oldest-1); ok {
				t.Fatalf("size %d: changes after %d are said to be there", size, r.oldest-1)
			}
			got, ok := revisions(&r, r.oldest)
			if !ok || len(got) < min(leastHistory, int(rev-10)) || len(got) > 2000 {
				t.Fatalf("size %d: %d changes, %v", size, len(got), ok)
			}
			for i, g := range got {
				if g != r.oldest+1+int64(i) {
					t.Fatalf("size %d at %d: change %d is of %d, the oldest is %d", size, rev, i, g, r.oldest)
				}
			}
			if got[len(got)-1] != rev {
				t.Fatalf("the latest is %d, not %d", got[len(got)-1], rev)
			}
			if kept := r.bytes; kept > historyBytes && len(got) > leastHistory {
				t.Fatalf("size %d: %d bytes in %d changes", size, kept, len(got))
			}
		}
	}
}

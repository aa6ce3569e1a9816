package item

import (
	"bytes"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"weak"
)

// Field number of metav1.ManagedFieldsEntry.fieldsType: it and what follows it tell which fields a manager has, and are
// the same for all objects that the manager has made of one template. What comes before has the time.
const entryFieldsType = 6

// leastShared is the size of the smallest piece that is kept apart from its object: to know it costs some 200 bytes.
const leastShared = 256

// piece is a run of bytes that several objects have.
type piece struct{ bytes []byte }

// cut is a place in an object's bytes where a piece belongs.
type cut struct {
	at    int
	piece *piece
}

// share finds in managed fields what other objects may have too, and returns it with its places in the rest: what lies
// before a cut, in managed, ends where the piece begins. size is that of the rest.
func share(managed []byte) (cuts []cut, size int) {
	var room [8]cut
	cuts, size = room[:0], len(managed)
	for at := 0; at < len(managed); {
		_, meta, n, err := field(managed[at:])
		if err != nil {
			break // cannot be: Split has read them
		}
		at += n
		for next := at - len(meta); next < at; {
			_, entry, n, err := field(managed[next:at])
			if err != nil {
				break
			}
			next += n
			start := next - len(entry) + fieldsIn(entry)
			if next-start < leastShared {
				continue
			}
			p := pieces.of(managed[start:next])
			cuts = append(cuts, cut{start - (len(managed) - size), p})
			size -= len(p.bytes)
		}
	}
	if len(cuts) == 0 {
		return nil, size
	}
	return slices.Clone(cuts), size
}

// appendRest appends managed fields without the pieces that share has found.
func appendRest(own, managed []byte, cuts []cut) []byte {
	at := 0
	for _, c := range cuts {
		n := c.at - at
		own = append(own, managed[:n]...)
		managed = managed[n+len(c.piece.bytes):]
		at = c.at
	}
	return append(own, managed...)
}

// fieldsIn is where an entry's fields begin.
func fieldsIn(entry []byte) int {
	for at := 0; at < len(entry); {
		num, _, n, err := field(entry[at:])
		if err != nil {
			break
		}
		if num >= entryFieldsType {
			return at
		}
		at += n
	}
	return len(entry)
}

// table holds the pieces that are in use. An entry goes when the collector finds its piece unused.
type table struct {
	mu      sync.Mutex
	entries map[uint64]weak.Pointer[piece]
}

var (
	seed   = maphash.MakeSeed()
	pieces = &table{entries: map[uint64]weak.Pointer[piece]{}}
)

// of returns the piece with these bytes, which are copied where there is none so far.
func (t *table) of(b []byte) *piece {
	hash := t.hash(b)
	t.mu.Lock()
	defer t.mu.Unlock()
	if w, ok := t.entries[hash]; ok {
		if p := w.Value(); p != nil {
			if bytes.Equal(p.bytes, b) {
				return p
			}
			return &piece{bytes.Clone(b)} // two pieces of one hash: this one is not shared
		}
	}
	p := &piece{bytes.Clone(b)}
	t.entries[hash] = weak.Make(p)
	runtime.AddCleanup(p, t.drop, hash)
	return p
}

func (t *table) hash(b []byte) uint64 { return maphash.Bytes(seed, b) }

// drop forgets a piece that is gone, unless another has come in its place.
func (t *table) drop(hash uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w, ok := t.entries[hash]; ok && w.Value() == nil {
		delete(t.entries, hash)
	}
}

package watchcache

import "github.com/keelson/keelson/proto/pipeline/item"

// Marks are a Bloom filter of an object's labels: each label sets two of the bits. What lacks a label's bits lacks the
// label; what has them may have it.
type Marks uint64

// Mark returns the bits of a label.
func Mark(key, value string) Marks {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h := uint64(offset)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * prime
	}
	h *= prime
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * prime
	}
	// FNV leaves the last characters, in which labels differ most, in few bits.
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h ^= h >> 33
	return 1<<(h&63) | 1<<(h>>6&63)
}

func marksOf(it *item.Item) Marks {
	var m Marks
	for n := range it.Labels() {
		m |= Mark(it.LabelAt(n))
	}
	return m
}

// hasAny tells whether all bits of one of the marks are set; also where there are none to ask for.
func (m Marks) hasAny(any []Marks) bool {
	for _, a := range any {
		if m&a == a {
			return true
		}
	}
	return len(any) == 0
}

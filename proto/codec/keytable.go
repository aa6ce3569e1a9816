package codec

import (
	"encoding/binary"
	"math/bits"
)

// keyTable finds a JSON field by its name: an open-addressed table whose multiplier is chosen so that nearly every
// key is found at the first place looked at.
type keyTable struct {
	slots []*jsonField
	mult  uint64
	shift uint8
}

// newKeyTable tries a fixed series of multipliers and keeps the one with the fewest collisions.
func newKeyTable(fields []*jsonField) keyTable {
	size := 1 << bits.Len(uint(2*len(fields)))
	best, bestCost := keyTable{}, -1
	mult := uint64(0x9e3779b97f4a7c15)
	for range 256 {
		k := keyTable{slots: make([]*jsonField, size), mult: mult | 1, shift: uint8(64 - bits.Len(uint(size-1)))}
		cost := 0
		for _, f := range fields {
			cost += k.insert(f)
		}
		if bestCost < 0 || cost < bestCost {
			best, bestCost = k, cost
		}
		if cost == 0 {
			break
		}
		mult = mult*6364136223846793005 + 1442695040888963407
	}
	return best
}

// insert adds a field and returns how many places it had to go past.
func (k *keyTable) insert(f *jsonField) int {
	mask := len(k.slots) - 1
	at := int(hashKey([]byte(f.name), k.mult) >> (k.shift & 63))
	for cost := 0; ; cost++ {
		if k.slots[at] == nil {
			k.slots[at] = f
			return cost
		}
		at = (at + 1) & mask
	}
}

// find returns the field with the name, nil where there is none. The table is at most half full, so that it ends.
func (k *keyTable) find(name []byte) *jsonField {
	mask := len(k.slots) - 1
	for at := int(hashKey(name, k.mult) >> (k.shift & 63)); ; at++ {
		f := k.slots[at&mask]
		if f == nil || f.name == string(name) {
			return f
		}
	}
}

// hashKey mixes the first and last bytes and the length: names in a message differ there.
func hashKey(k []byte, mult uint64) uint64 {
	n := len(k)
	var a, b uint64
	switch {
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(k), binary.LittleEndian.Uint64(k[n-8:])
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(k)), uint64(binary.LittleEndian.Uint32(k[n-4:]))
	case n > 0:
		a = uint64(k[0]) | uint64(k[n>>1])<<8 | uint64(k[n-1])<<16
	}
	return (a ^ bits.RotateLeft64(b, 23) ^ uint64(n)<<56) * mult
}

// fieldSet is a set of fields of one message.
type fieldSet [maxFields / 64]uint64

func (s *fieldSet) has(i int) bool { return s[uint(i)>>6&1]&(1<<(uint(i)&63)) != 0 }
func (s *fieldSet) add(i int)      { s[uint(i)>>6&1] |= 1 << (uint(i) & 63) }

// all reports whether the set has all of another.
func (s *fieldSet) all(o *fieldSet) bool { return o[0]&^s[0]|o[1]&^s[1] == 0 }

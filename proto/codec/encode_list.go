package codec

import (
	"bytes"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

// list appends a repeated field with its key: the run of occurrences whose first value is at w[i:].
func (e *encoder) list(dst []byte, f *field, w []byte, i int, typ protowire.Type, depth int) ([]byte, int, error) {
	start := len(dst)
	dst = append(append(dst, f.key...), '[')
	empty := len(dst)
	var err error
	for {
		switch {
		case typ == protowire.BytesType && f.op <= opDouble:
			dst, i, err = appendPacked(dst, f, w, i)
		case f.op == opMessage:
			from, to := chunk(w, i)
			if to < 0 {
				return dst, -1, nil
			}
			dst, err = e.message(dst, f.sub, w[from:to], nil, depth)
			dst, i = append(dst, ','), to
		default:
			dst, i, err = appendScalar(dst, f, w, i)
			dst = append(dst, ',')
		}
		if err == nil && len(dst) > e.limit {
			err = errTooLong
		}
		if err != nil || i < 0 {
			return dst, -1, err
		}
		if i == len(w) {
			break
		}
		if len(f.tag) == 1 && w[i] == f.tag[0] {
			i, typ = i+1, protowire.Type(f.tagValue&7)
			continue
		}
		num, t, next := nextTag(w, i)
		if next < 0 {
			return dst, -1, nil
		}
		if num != uint64(f.num) || t != f.elementType() && !f.otherPacking(t) {
			break
		}
		i, typ = next, t
	}
	if len(dst) == empty { // packed, of no elements
		dst = dst[:start]
		switch f.emit {
		case optionsv1.Emit_EMIT_NULL:
			dst = append(append(dst, f.key...), "null"...)
		case optionsv1.Emit_EMIT_ZERO:
			dst = append(append(dst, f.key...), "[]"...)
		}
		return dst, i, nil
	}
	dst[len(dst)-1] = ']'
	return dst, i, nil
}

// appendPacked appends the numbers of one packed value, each followed by a comma.
func appendPacked(dst []byte, f *field, w []byte, i int) ([]byte, int, error) {
	from, to := chunk(w, i)
	if to < 0 {
		return dst, -1, nil
	}
	var err error
	for w, i = w[:to], from; i < to; {
		if dst, i, err = appendScalar(dst, f, w, i); err != nil || i < 0 {
			return dst, -1, err
		}
		dst = append(dst, ',')
	}
	return dst, to, nil
}

// ordered is mapping for strings and quantities that stand in the order of their keys, as all encoders write them: nothing
// has to be set aside. next is 0 where something is different.
func (f *field) ordered(dst, w []byte, i int) (out []byte, next int) {
	dst = append(append(dst, f.key...), '{')
	var last []byte
	for first := true; ; first = false {
		from, to := chunk(w, i)
		if to < 0 {
			return nil, 0
		}
		entry, ok := plainEntry(w[from:to])
		if !ok || !first && bytes.Compare(last, entry.key) >= 0 {
			return nil, 0
		}
		dst = append(appendString(dst, entry.key), ':')
		if f.val.op == opString {
			dst = appendString(dst, entry.value)
		} else if dst, ok = appendPlainQuantity(dst, entry.value); !ok {
			return nil, 0
		}
		dst, last, i = append(dst, ','), entry.key, to
		if i == len(w) {
			break
		}
		if len(f.tag) == 1 && w[i] == f.tag[0] {
			i++
			continue
		}
		num, typ, after := nextTag(w, i)
		if after < 0 {
			return nil, 0
		}
		if num != uint64(f.num) || typ != protowire.BytesType {
			break
		}
		i = after
	}
	dst[len(dst)-1] = '}'
	return dst, i
}

// mapEntry is one entry of a map: slices of the wire.
type mapEntry struct {
	key   []byte
	value []byte // nil where the entry has none
}

// mapping appends a map with its key, in the order of its keys. Of equal keys the last one counts.
func (e *encoder) mapping(dst []byte, f *field, w []byte, i int, depth int) ([]byte, int, error) {
	if f.plain {
		if out, next := f.ordered(dst, w, i); next > 0 && len(out) <= e.limit {
			return out, next, nil
		}
	}
	base := len(e.entries)
	defer func() { e.entries = e.entries[:base] }()
	sorted := true
	for {
		from, to := chunk(w, i)
		if to < 0 {
			return dst, -1, nil
		}
		entry, err := f.entry(w[from:to])
		if err != nil {
			return dst, -1, err
		}
		if n := len(e.entries); n > base && bytes.Compare(e.entries[n-1].key, entry.key) >= 0 {
			sorted = false
		}
		e.entries = append(e.entries, entry)
		if i = to; i == len(w) {
			break
		}
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return dst, -1, nil
		}
		if num != uint64(f.num) || typ != protowire.BytesType {
			break
		}
		i = next
	}
	if !sorted {
		slices.SortStableFunc(e.entries[base:], func(a, b mapEntry) int { return bytes.Compare(a.key, b.key) })
	}
	end := len(e.entries)
	dst = append(append(dst, f.key...), '{')
	for j := base; j < end; j++ {
		entry := e.entries[j] // e.entries may move below
		if j+1 < end && bytes.Equal(entry.key, e.entries[j+1].key) {
			continue
		}
		dst = append(appendString(dst, entry.key), ':')
		var err error
		if dst, err = e.mapValue(dst, f.val, entry, depth); err != nil {
			return dst, -1, err
		}
		if dst = append(dst, ','); len(dst) > e.limit {
			return dst, -1, errTooLong
		}
	}
	dst[len(dst)-1] = '}'
	return dst, i, nil
}

func (e *encoder) mapValue(dst []byte, v *field, entry mapEntry, depth int) ([]byte, error) {
	switch {
	case v.op == opMessage:
		return e.message(dst, v.sub, entry.value, nil, depth)
	case v.op == opString:
		return appendString(dst, entry.value), nil
	case entry.value == nil:
		return append(dst, v.zeroJSON()...), nil
	}
	dst, next, err := appendScalar(dst, v, entry.value, 0)
	if next < 0 && err == nil {
		err = errMalformed
	}
	return dst, err
}

// entry takes a map entry apart. Strings and messages are given without, other values with their length.
func (f *field) entry(w []byte) (mapEntry, error) {
	if f.val.op == opString || f.val.op == opMessage {
		if entry, ok := plainEntry(w); ok {
			return entry, nil
		}
	}
	var entry mapEntry
	for i := 0; i < len(w); {
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return entry, errMalformed
		}
		end := skipValue(w, next, num, typ)
		if end < 0 {
			return entry, errMalformed
		}
		switch {
		case num == 1 && typ == protowire.BytesType:
			from, to := chunk(w, next)
			entry.key = w[from:to]
		case num == 2 && typ == f.val.elementType():
			switch f.val.op {
			case opString:
				from, to := chunk(w, next)
				entry.value = w[from:to:to]
			case opMessage:
				from, to := chunk(w, next)
				if entry.value == nil {
					entry.value = w[from:to:to]
				} else {
					entry.value = append(entry.value, w[from:to]...)
				}
			default:
				entry.value = w[next:end]
			}
		}
		i = end
	}
	return entry, nil
}

// plainEntry takes an entry apart that is as all encoders write it: a key and a value, each with a short length.
func plainEntry(w []byte) (mapEntry, bool) {
	const keyTag, valueTag = 1<<3 | byte(protowire.BytesType), 2<<3 | byte(protowire.BytesType)
	if len(w) < 4 || w[0] != keyTag || w[1] >= 0x80 || int(w[1])+4 > len(w) {
		return mapEntry{}, false
	}
	key, w := w[2:2+w[1]], w[2+w[1]:]
	if w[0] != valueTag || w[1] >= 0x80 || int(w[1])+2 != len(w) {
		return mapEntry{}, false
	}
	return mapEntry{key: key, value: w[2:len(w):len(w)]}, true
}

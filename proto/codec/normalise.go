package codec

import (
	"errors"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// occurrence is one field of a message on the wire.
type occurrence struct {
	index            int // of the field in its type
	start, from, end int // tag, payload (after the length of what has one), end
}

// normalise rewrites a message, given in one piece or two, where fields that hold one value occur again or lists are
// not contiguous. The message that it returns can be written in one pass.
func (e *encoder) normalise(t *Type, w, tail []byte) ([]byte, error) {
	if tail != nil {
		w = append(w[:len(w):len(w)], tail...)
	}
	repeats, err := t.repeats(w)
	if err != nil || !repeats {
		return w, err
	}
	if e.budget -= len(w); e.budget < 0 {
		return nil, errors.New("too many fields occur more than once")
	}
	return t.join(w)
}

// repeats reports whether a field occurs again after another one, or a field of one value at all.
func (t *Type) repeats(w []byte) (bool, error) {
	var seen fieldSet
	last := -1
	for i := 0; i < len(w); {
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return false, errMalformed
		}
		if i = skipValue(w, next, num, typ); i < 0 {
			return false, errMalformed
		}
		f := t.lookup(num)
		if f == nil || f.tagValue&7 != uint64(typ) && !f.otherPacking(typ) {
			last = -1
			continue
		}
		if seen.has(f.index) && (f.index != last || !f.repeated && f.op != opMap) {
			return true, nil
		}
		seen.add(f.index)
		last = f.index
	}
	return false, nil
}

// join brings the occurrences of each field together: those of a message are merged, the last of several scalars is
// kept. Fields that the type does not know are dropped.
func (t *Type) join(w []byte) ([]byte, error) {
	var all []occurrence
	for i := 0; i < len(w); {
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return nil, errMalformed
		}
		end := skipValue(w, next, num, typ)
		if end < 0 {
			return nil, errMalformed
		}
		if f := t.lookup(num); f != nil && (f.tagValue&7 == uint64(typ) || f.otherPacking(typ)) {
			from := next
			if typ == protowire.BytesType {
				from, _ = chunk(w, next)
			}
			all = append(all, occurrence{index: f.index, start: i, from: from, end: end})
		}
		i = end
	}
	slices.SortStableFunc(all, func(a, b occurrence) int { return a.index - b.index })
	out := make([]byte, 0, len(w))
	for len(all) > 0 {
		f := t.fields[all[0].index]
		n := 1
		for n < len(all) && all[n].index == f.index {
			n++
		}
		run := all[:n]
		all = all[n:]
		switch {
		case f.repeated || f.op == opMap:
			for _, o := range run {
				out = append(out, w[o.start:o.end]...)
			}
		case f.op == opMessage || f.op == opInline:
			size := 0
			for _, o := range run {
				size += o.end - o.from
			}
			out = protowire.AppendVarint(append(out, f.tag...), uint64(size))
			for _, o := range run {
				out = append(out, w[o.from:o.end]...)
			}
		default:
			last := run[n-1]
			out = append(out, w[last.start:last.end]...)
		}
	}
	return out, nil
}

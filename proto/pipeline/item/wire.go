package item

import (
	"bytes"
	"sync"
	"weak"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/wire"
)

// parts calls f with the object's bytes from one of its own on, in order.
func (i *Item) parts(from int, f func(part []byte)) {
	for _, c := range i.cuts {
		if from < c.at {
			f(i.own[from:c.at])
		}
		f(c.piece.bytes)
		from = c.at
	}
	if from < len(i.own) {
		f(i.own[from:])
	}
}

// Size is how many bytes the object has in its own encoding.
func (i *Item) Size() int {
	size := len(i.own)
	for _, c := range i.cuts {
		size += len(c.piece.bytes)
	}
	return size
}

// AppendWire appends the object in its own encoding, with the resource version set.
func (i *Item) AppendWire(dst []byte) []byte {
	from := 0
	for _, c := range i.cuts {
		dst = append(append(dst, i.own[from:c.at]...), c.piece.bytes...)
		from = c.at
	}
	return append(dst, i.own[from:]...)
}

// Wire returns what AppendWire appends, not to be written to. Like that of JSON, the slice is remembered for as long as
// somebody uses it: the watchers of an event share it.
func (i *Item) Wire() []byte {
	if len(i.cuts) == 0 {
		return i.own
	}
	if w := i.wire.Load(); w != nil {
		if p := w.Value(); p != nil {
			return *p
		}
	}
	b := i.AppendWire(make([]byte, 0, i.Size()))
	w := weak.Make(&b)
	i.wire.Store(&w)
	return b
}

// StoredAs tells whether the store holds the object as these bytes: those of Wire without the resource version.
func (i *Item) StoredAs(raw []byte) bool {
	if len(raw) != i.Size()-(i.trimmed-i.body) || !bytes.Equal(raw[:i.body], i.own[:i.body]) {
		return false
	}
	raw = raw[i.body:]
	same := true
	i.parts(i.trimmed, func(part []byte) {
		same = same && bytes.Equal(raw[:len(part)], part)
		raw = raw[len(part):]
	})
	return same
}

// scratch are buffers for bytes that are looked at and not kept.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// read calls f with what Wire returns, which f must not keep.
func (i *Item) read(f func(wire []byte) error) error {
	if len(i.cuts) == 0 {
		return f(i.own)
	}
	b := scratch.Get().(*[]byte)
	defer scratch.Put(b)
	*b = i.AppendWire((*b)[:0])
	return f(*b)
}

// Unmarshal reads the object into a message of its type.
func (i *Item) Unmarshal(into proto.Message) error {
	if len(i.cuts) == 0 {
		return wire.UnmarshalImmutable(i.own, into)
	}
	return i.read(func(encoded []byte) error { return wire.Unmarshal(encoded, into) })
}

package projection

import (
	"errors"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/schema/shape"
)

// decoder decodes messages of one type, one after the other.
type decoder struct {
	p    *Projection
	root shape.Pointer
	// made are the sub-messages that there are, by the index of their projection; used is how many of them the message has.
	made [][]shape.Pointer
	used []int
	// entry is for a map entry without its value.
	entry []byte
}

func newDecoder(p *Projection) *decoder {
	return &decoder{p: p, root: p.message.New(), made: make([][]shape.Pointer, p.messages), used: make([]int, p.messages)}
}

var errInvalidUTF8 = errors.New("a string is not valid UTF-8")

// merging is how fields are decoded that this package does not decode itself.
var merging = proto.UnmarshalOptions{Merge: true, AllowPartial: true, DiscardUnknown: true}

// decode returns what is named of a message, until the next call.
func (d *decoder) decode(wire []byte) (proto.Message, error) {
	d.reset()
	if err := d.message(d.p, d.root, wire); err != nil {
		return nil, err
	}
	return d.p.message.Interface(d.root), nil
}

// reset empties all messages.
func (d *decoder) reset() {
	d.p.clear(d.root)
	d.p.each(func(p *Projection) {
		for _, m := range d.made[p.index][:d.used[p.index]] {
			p.clear(m)
		}
		d.used[p.index] = 0
	})
}

// each calls f with the projections of all sub-messages.
func (p *Projection) each(f func(*Projection)) {
	for _, field := range p.all {
		if field.sub != nil {
			f(field.sub)
			field.sub.each(f)
		}
	}
}

func (p *Projection) clear(m shape.Pointer) {
	for _, f := range p.all {
		if f.form == shape.Texts || f.form == shape.Many && f.sub != nil {
			f.Truncate(m)
		} else {
			f.Clear(m)
		}
	}
}

// take returns an empty message.
func (d *decoder) take(p *Projection) shape.Pointer {
	made, n := d.made[p.index], d.used[p.index]
	if n == len(made) {
		made = append(made, p.message.New())
		d.made[p.index] = made
	}
	d.used[p.index]++
	return made[n]
}

// message merges what is named of a message's bytes into m.
func (d *decoder) message(p *Projection, m shape.Pointer, wire []byte) error {
	for len(wire) > 0 {
		num, typ, tag := protowire.ConsumeTag(wire)
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		var content []byte // of other types it is not asked for
		var n int
		if typ == protowire.BytesType {
			content, n = protowire.ConsumeBytes(wire[tag:])
		} else {
			n = protowire.ConsumeFieldValue(num, typ, wire[tag:])
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if int(num) < len(p.fields) && p.fields[num] != nil {
			if err := d.field(p, p.fields[num], m, typ, wire[:tag+n], tag, content); err != nil {
				return err
			}
		}
		wire = wire[tag+n:]
	}
	return nil
}

// field merges one field, which has its value at raw[tag:].
func (d *decoder) field(p *Projection, f *field, m shape.Pointer, typ protowire.Type, raw []byte, tag int, content []byte) error {
	want := protowire.BytesType
	switch {
	case f.keys && !f.whole:
		return d.key(p, m, typ, raw[:tag], content)
	case f.form == shape.Other, f.form >= shape.One && f.sub == nil:
		return merging.Unmarshal(raw, p.message.Interface(m))
	case f.form == shape.Varint:
		want = protowire.VarintType
	}
	if typ != want {
		return nil // an unknown field
	}
	switch f.form {
	case shape.Varint:
		v, _ := protowire.ConsumeVarint(raw[tag:])
		f.SetVarint(m, v)
	case shape.Text, shape.Texts:
		if !utf8.Valid(content) {
			return errInvalidUTF8
		}
		text := unsafe.String(unsafe.SliceData(content), len(content))
		if f.form == shape.Text {
			f.SetText(m, text)
		} else {
			f.AppendText(m, text)
		}
	case shape.One:
		sub := f.Message(m)
		if sub == nil {
			sub = d.take(f.sub)
			f.SetMessage(m, sub)
		}
		return d.message(f.sub, sub, content)
	case shape.Many:
		sub := d.take(f.sub)
		f.AppendMessage(m, sub)
		return d.message(f.sub, sub, content)
	}
	return nil
}

// key adds the key of a map's entry.
func (d *decoder) key(p *Projection, m shape.Pointer, typ protowire.Type, tag, entry []byte) error {
	if typ != protowire.BytesType {
		return nil // an unknown field
	}
	d.entry = d.entry[:0]
	for len(entry) > 0 {
		num, _, n := protowire.ConsumeField(entry)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if num == 1 {
			d.entry = append(d.entry, entry[:n]...)
		}
		entry = entry[n:]
	}
	raw := protowire.AppendBytes(append([]byte(nil), tag...), d.entry)
	return merging.Unmarshal(raw, p.message.Interface(m))
}

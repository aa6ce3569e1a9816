// Package projection decodes no more of an object than its reader asks for.
//
// What a view shows equals the decoded message without all its other fields: parts that stand in several pieces are merged,
// and an absent message is told from an empty one. Bytes of other fields are skipped and not looked into. The messages are
// used again for the next object, and their strings are the object's own bytes.
package projection

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/schema/shape"
)

// Projection names fields of a message. It is safe for concurrent use.
type Projection struct {
	message *shape.Message
	// fields has the fields by number; nil are those that are not asked for. all is the same without gaps.
	fields []*field
	all    []*field
	// index numbers the messages of one projection; messages is how many there are, told by the root.
	index, messages int
	decoders        sync.Pool
}

// field is a field that is asked for.
type field struct {
	*shape.Field
	form shape.Form
	// whole says that all of the field is asked for; else, and where it is small, sub says what of its message.
	whole bool
	sub   *Projection
	// keys says that of a map only the keys are asked for.
	keys bool
}

// maxNumber bounds the numbers of fields that can be named: the API has none above.
const maxNumber = 512

// Of compiles paths of JSON names ("spec.containers.name"), which lead through the items of lists. A path that ends in a
// dot asks for the messages that it leads to but for nothing in them, or for the keys of a map.
func Of(md protoreflect.MessageDescriptor, paths ...string) (*Projection, error) {
	p := &Projection{message: shape.Of(md)}
	for _, path := range paths {
		if err := p.add(path); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", md.FullName(), path, err)
		}
	}
	p.finish(&p.messages)
	p.decoders.New = func() any { return newDecoder(p) }
	return p, nil
}

// View shows f what is named of a message. f must not keep that; it may keep its strings as long as the bytes do not
// change.
func (p *Projection) View(wire []byte, f func(proto.Message)) error {
	d := p.decoders.Get().(*decoder)
	defer p.decoders.Put(d)
	m, err := d.decode(wire)
	if err == nil {
		f(m)
	}
	return err
}

func (p *Projection) add(path string) error {
	path, nothing := strings.CutSuffix(path, ".")
	names := strings.Split(path, ".")
	for i, name := range names {
		known, ok := p.message.Field(name)
		if !ok {
			return fmt.Errorf("no field %s", name)
		}
		for _, fd := range known.Inline {
			p = p.field(fd).step()
		}
		f := p.field(known.Desc)
		switch last := i == len(names)-1; {
		case last && !nothing:
			f.whole = true
		case last && f.Desc.IsMap():
			f.keys = true
		case f.Desc.IsMap() || f.Elem == nil:
			return fmt.Errorf("%s is not a message", name)
		default:
			p = f.step()
		}
	}
	return nil
}

// field returns the field of a descriptor, which it adds.
func (p *Projection) field(fd protoreflect.FieldDescriptor) *field {
	if fd.Number() >= maxNumber {
		panic("projection: the number of " + string(fd.FullName()) + " is too large")
	}
	for len(p.fields) <= int(fd.Number()) {
		p.fields = append(p.fields, nil)
	}
	f := p.fields[fd.Number()]
	if f == nil {
		f = &field{Field: shape.Direct(fd)}
		f.form = f.Form()
		p.fields[fd.Number()] = f
		p.all = append(p.all, f)
	}
	return f
}

// step returns the projection of the field's message, which it adds.
func (f *field) step() *Projection {
	if f.sub == nil {
		f.sub = &Projection{message: f.Elem}
	}
	return f.sub
}

// finish numbers the messages and takes whole ones that are small field by field.
func (p *Projection) finish(n *int) {
	p.index = *n
	*n++
	for _, f := range p.all {
		switch {
		case f.whole && f.form >= shape.One && scalars(f.Elem):
			f.sub = &Projection{message: f.Elem}
			for _, inner := range f.Elem.Fields {
				f.sub.field(inner.Desc).whole = true
			}
		case f.whole:
			f.sub = nil
		}
		if f.sub != nil {
			f.sub.finish(n)
		}
	}
}

// scalars tells whether a message has nothing but strings and numbers.
func scalars(m *shape.Message) bool {
	return !slices.ContainsFunc(m.Fields, func(f *shape.Field) bool {
		return len(f.Inline) > 0 || f.Form() != shape.Text && f.Form() != shape.Varint
	})
}

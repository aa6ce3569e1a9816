package item

import (
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Field numbers of every root kind and of ObjectMeta.
const (
	fieldMetadata        = 1
	metaResourceVersion  = 6
	metaLabels           = 11
	metaManagedFields    = 17
	mapEntryKey          = 1
	mapEntryValue        = 2
	resourceVersionBytes = 24 // the appended fragment, at most: 2 tags, 2 lengths, 19 digits
)

// New makes an item of the bytes that the store holds for an object, written at a revision. raw is not kept.
func New(kind *schema.Kind, raw []byte, revision int64, namespace, name string) (*Item, error) {
	body, managed, err := Split(raw)
	if err != nil {
		return nil, fmt.Errorf("%s %s/%s: %w", kind.Plural, namespace, name, err)
	}
	return assemble(kind, body, managed, revision, namespace, name)
}

// At returns the item as of another revision: the last state of a deleted object carries the revision of its deletion.
func (i *Item) At(revision int64) *Item {
	var digits [resourceVersionBytes]byte
	rv := appendRevision(digits[:0], revision)
	own := make([]byte, 0, i.body+len(rv)+len(i.own)-i.trimmed)
	own = append(append(own, i.own[:i.body]...), rv...)
	out := &Item{Kind: i.Kind, Revision: revision, Namespace: i.Namespace, Name: i.Name, body: i.body, trimmed: len(own)}
	out.own, out.cuts = append(own, i.own[i.trimmed:]...), slices.Clone(i.cuts)
	for n := range out.cuts {
		out.cuts[n].at += out.trimmed - i.trimmed
	}
	if err := out.index(); err != nil {
		return i // cannot be: the bytes have been parsed before
	}
	return out
}

func assemble(kind *schema.Kind, body, managed []byte, revision int64, namespace, name string) (*Item, error) {
	var digits [resourceVersionBytes]byte
	rv := digits[:0]
	if revision > 0 {
		rv = appendRevision(rv, revision)
	}
	cuts, rest := share(managed)
	own := make([]byte, 0, len(body)+len(rv)+rest)
	own = append(append(own, body...), rv...)
	it := &Item{Kind: kind, Revision: revision, Namespace: namespace, Name: name, body: len(body), trimmed: len(own)}
	it.own, it.cuts = appendRest(own, managed, cuts), cuts
	for n := range cuts {
		cuts[n].at += it.trimmed
	}
	if err := it.index(); err != nil {
		return nil, fmt.Errorf("%s %s/%s: %w", kind.Plural, namespace, name, err)
	}
	return it, nil
}

// appendRevision appends the message {metadata: {resourceVersion: "<revision>"}}, which a parser merges into what
// comes before.
func appendRevision(wire []byte, revision int64) []byte {
	var digits [20]byte
	rv := strconv.AppendInt(digits[:0], revision, 10)
	wire = protowire.AppendTag(wire, fieldMetadata, protowire.BytesType)
	wire = protowire.AppendVarint(wire, uint64(protowire.SizeTag(metaResourceVersion)+protowire.SizeBytes(len(rv))))
	wire = protowire.AppendTag(wire, metaResourceVersion, protowire.BytesType)
	return protowire.AppendBytes(wire, rv)
}

// Split separates an object's bytes into all but the managed fields, and the managed fields as a message fragment of
// their own: appending it again gives an equal object. The pipeline stores objects in that order, so that mostly
// nothing is copied.
func Split(raw []byte) (body, managed []byte, err error) {
	end := -1 // where a trailing run of pure managed-fields fragments starts
	for at := 0; at < len(raw); {
		num, content, n, err := field(raw[at:])
		if err != nil {
			return nil, nil, err
		}
		if num != fieldMetadata || content == nil {
			if end >= 0 {
				return splitSlow(raw)
			}
			at += n
			continue
		}
		pure, any, err := managedIn(content)
		switch {
		case err != nil:
			return nil, nil, err
		case pure && end < 0:
			end = at
		case any && !pure, !pure && end >= 0:
			return splitSlow(raw)
		}
		at += n
	}
	if end < 0 {
		return raw, nil, nil
	}
	return raw[:end], raw[end:], nil
}

// managedIn tells whether metadata holds nothing but, or any, managed fields.
func managedIn(meta []byte) (pure, any bool, err error) {
	pure = len(meta) > 0
	for len(meta) > 0 {
		num, _, n, err := field(meta)
		if err != nil {
			return false, false, err
		}
		if num == metaManagedFields {
			any = true
		} else {
			pure = false
		}
		meta = meta[n:]
	}
	return pure, any, nil
}

// splitSlow handles objects in another order: those that Kubernetes has written.
func splitSlow(raw []byte) (body, managed []byte, err error) {
	var entries []byte
	body = make([]byte, 0, len(raw)+8)
	for len(raw) > 0 {
		num, content, n, err := field(raw)
		if err != nil {
			return nil, nil, err
		}
		if num == fieldMetadata && content != nil {
			rest := make([]byte, 0, len(content))
			for len(content) > 0 {
				num, _, n, err := field(content)
				if err != nil {
					return nil, nil, err
				}
				if num == metaManagedFields {
					entries = append(entries, content[:n]...)
				} else {
					rest = append(rest, content[:n]...)
				}
				content = content[n:]
			}
			body = protowire.AppendTag(body, fieldMetadata, protowire.BytesType)
			body = protowire.AppendBytes(body, rest)
		} else {
			body = append(body, raw[:n]...)
		}
		raw = raw[n:]
	}
	if len(entries) > 0 {
		managed = protowire.AppendTag(nil, fieldMetadata, protowire.BytesType)
		managed = protowire.AppendBytes(managed, entries)
	}
	return body, managed, nil
}

// field reads one field. content is nil for other than length-delimited ones; n is the length of the whole field.
func field(b []byte) (num protowire.Number, content []byte, n int, err error) {
	num, typ, tag := protowire.ConsumeTag(b)
	if tag < 0 {
		return 0, nil, 0, protowire.ParseError(tag)
	}
	if typ == protowire.BytesType {
		v, l := protowire.ConsumeBytes(b[tag:])
		if l < 0 {
			return 0, nil, 0, protowire.ParseError(l)
		}
		if v == nil {
			v = b[tag+l : tag+l]
		}
		return num, v, tag + l, nil
	}
	l := protowire.ConsumeFieldValue(num, typ, b[tag:])
	if l < 0 {
		return 0, nil, 0, protowire.ParseError(l)
	}
	return num, nil, tag + l, nil
}

// MetadataOnly returns the parts of an object's bytes that are its metadata: a valid message of the same kind.
func MetadataOnly(wire []byte) []byte {
	var out []byte
	for len(wire) > 0 {
		num, _, n, err := field(wire)
		if err != nil {
			return out
		}
		if num == fieldMetadata {
			out = append(out, wire[:n]...)
		}
		wire = wire[n:]
	}
	return out
}

// metadata calls f with the pieces of the object's bytes that are its metadata, of which the last ones are the resource
// version and the managed fields.
func (i *Item) metadata(f func(piece []byte)) {
	for b := i.own[:i.body]; len(b) > 0; {
		num, _, n, err := field(b)
		if err != nil {
			return // cannot be: the bytes have been parsed before
		}
		if num == fieldMetadata {
			f(b[:n])
		}
		b = b[n:]
	}
	i.parts(i.body, f)
}

// MetadataSize is how many bytes AppendMetadata appends.
func (i *Item) MetadataSize() int {
	size := 0
	i.metadata(func(piece []byte) { size += len(piece) })
	return size
}

// AppendMetadata appends the object's metadata: the bytes of a PartialObjectMetadata.
func (i *Item) AppendMetadata(dst []byte) []byte {
	i.metadata(func(piece []byte) { dst = append(dst, piece...) })
	return dst
}

var partialType = (*metav1.PartialObjectMetadata)(nil).ProtoReflect().Descriptor()

// AppendPartialJSON appends the object's metadata as JSON of a PartialObjectMetadata in an API version: that knows no other
// field of the object.
func (i *Item) AppendPartialJSON(dst []byte, apiVersion string) ([]byte, error) {
	checked := i.checked.Load() || i.checkedMeta.Load()
	err := i.read(func(encoded []byte) (err error) {
		dst, err = codec.For(partialType).AppendJSON(dst, encoded, codec.EncodeOptions{APIVersion: apiVersion, Kind: "PartialObjectMetadata", Checked: checked})
		return err
	})
	if err == nil && !checked {
		i.checkedMeta.Store(true)
	}
	return dst, err
}

package codec

import (
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

const (
	// maxDepth bounds the nesting of messages in both directions. The deepest type that people write is a schema in a
	// CustomResourceDefinition, far below it.
	maxDepth = 256
	// defaultMaxBytes bounds the output of one call where the caller gives no bound.
	defaultMaxBytes = 512 << 20
)

// EncodeOptions say how an object is written in JSON. The zero value writes the message alone.
type EncodeOptions struct {
	// APIVersion and Kind are written first where they are not empty: a message does not hold them.
	APIVersion, Kind string
	// OmitManagedFields leaves out metadata.managedFields.
	OmitManagedFields bool
	// Checked says that an encoding of the same object has found the raw JSON in it well-formed: fieldsV1 and the like are
	// then copied as they are.
	Checked bool
	// MaxBytes is the most bytes of JSON that one call may append; more is an error. Zero is 512 MiB.
	MaxBytes int
}

// errRepeated says that a field that holds one value occurs again, or that a list is not contiguous: the object cannot
// be written in one pass. It is then written a second time, with each such message normalised before. (To normalise
// where it is found would double the work with every level of nesting.)
var errRepeated = errors.New("field occurs more than once")

var errTooLong = errors.New("JSON exceeds the limit on its size")

// encoder is the state of one AppendJSON.
type encoder struct {
	entries []mapEntry // stack of the maps being written
	joined  []byte     // pieces of a root field that came apart
	limit   int        // len(dst) may not exceed it
	omit    bool       // managed fields
	checked bool       // raw JSON is known to be well-formed
	careful bool       // messages are normalised first
	budget  int        // bytes that normalising may still copy: nesting could multiply them
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// AppendJSON appends the JSON of an object in protobuf encoding to dst and returns the extended slice. Fields that the
// message does not define are skipped. On an error dst is returned as it was given.
func (t *Type) AppendJSON(dst, wire []byte, o EncodeOptions) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	*e = encoder{limit: len(dst) + o.MaxBytes, omit: o.OmitManagedFields, checked: o.Checked, entries: e.entries[:0], joined: e.joined[:0], budget: 1<<20 + 16*len(wire)}
	out, err := e.root(dst, t, wire, o)
	if err == errRepeated {
		e.careful, e.entries = true, e.entries[:0]
		out, err = e.root(dst, t, wire, o)
	}
	if err == nil && len(out) > e.limit {
		err = errTooLong
	}
	if cap(e.entries) > 1024 {
		e.entries = nil
	}
	if cap(e.joined) > 64<<10 {
		e.joined = nil
	}
	clear(e.entries[:cap(e.entries)]) // the pool must not keep wire alive
	if err != nil {
		return dst, fmt.Errorf("cannot encode %s as JSON: %w", t.name, err)
	}
	return out, nil
}

func (e *encoder) root(dst []byte, t *Type, wire []byte, o EncodeOptions) ([]byte, error) {
	if t.form != optionsv1.JSONForm_JSON_FORM_UNSPECIFIED {
		return e.form(dst, t, wire, 0)
	}
	start := len(dst)
	if o.Kind != "" {
		dst = appendString(append(dst, `,"kind":`...), []byte(o.Kind))
	}
	if o.APIVersion != "" {
		dst = appendString(append(dst, `,"apiVersion":`...), []byte(o.APIVersion))
	}
	dst, err := e.fields(dst, t, wire, nil, 0)
	return closeObject(dst, start), err
}

// closeObject makes an object of the fields from start on, each of which begins with a comma.
func closeObject(dst []byte, start int) []byte {
	if len(dst) == start {
		return append(dst, '{', '}')
	}
	dst[start] = '{'
	return append(dst, '}')
}

// message appends the JSON of a message in whatever form it has.
func (e *encoder) message(dst []byte, t *Type, w, tail []byte, depth int) ([]byte, error) {
	if t.form != optionsv1.JSONForm_JSON_FORM_UNSPECIFIED {
		if tail != nil {
			w = append(w[:len(w):len(w)], tail...)
		}
		return e.form(dst, t, w, depth)
	}
	if len(w) == 0 && tail == nil {
		return append(dst, t.empty...), nil
	}
	start := len(dst)
	dst, err := e.fields(dst, t, w, tail, depth+1)
	return closeObject(dst, start), err
}

// fields appends the fields of a message, each with a leading comma. The message is w followed by tail.
func (e *encoder) fields(dst []byte, t *Type, w, tail []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, fmt.Errorf("%s is nested more than %d deep", t.name, maxDepth)
	}
	if len(dst) > e.limit {
		return dst, errTooLong
	}
	var err error
	if e.careful {
		if w, err = e.normalise(t, w, tail); err != nil {
			return dst, err
		}
		tail = nil
	}
	var seen fieldSet
	out, err := e.walk(dst, t, w, &seen, depth)
	if err == nil && tail != nil {
		out, err = e.walk(out, t, tail, &seen, depth)
	}
	if err != nil {
		return out, err
	}
	if !seen.all(&t.emitted) {
		for i := range t.emits {
			if m := &t.emits[i]; !seen.has(m.index) {
				out = append(out, m.literal...)
			}
		}
	}
	return out, nil
}

// walk appends the fields of one piece of a message in the order in which they stand. It returns errRepeated where that
// cannot be done in one pass.
func (e *encoder) walk(dst []byte, t *Type, w []byte, seen *fieldSet, depth int) ([]byte, error) {
	var err error
	for i := 0; i < len(w); {
		tag, next := uint64(w[i]), i+1
		if tag >= 0x80 {
			if tag, next = uvarint(w, i); next < 0 {
				return dst, errMalformed
			}
		}
		f := t.lookup(tag >> 3)
		if f == nil || f.tagValue != tag && !f.otherPacking(protowire.Type(tag&7)) {
			if i = skipField(w, i); i < 0 {
				return dst, errMalformed
			}
			continue
		}
		if seen.has(f.index) {
			if depth == 0 && f.op == opMessage && !f.repeated {
				// The root looked ahead: this piece is written already.
				if i = skipField(w, i); i < 0 {
					return dst, errMalformed
				}
				continue
			}
			return dst, errRepeated
		}
		seen.add(f.index)
		switch i = next; {
		case f.repeated:
			typ := protowire.Type(tag & 7)
			if e.omit && t.meta && f.name == "managedFields" {
				i = skipRun(w, i, tag>>3, typ)
			} else {
				dst, i, err = e.list(dst, f, w, i, typ, depth)
			}
		case f.op == opString: // as most are
			from, to := chunk(w, i)
			if to > from || to == from && !f.skipsZero() {
				dst = appendString(append(dst, f.key...), w[from:to])
			}
			i = to
		default:
			dst, i, err = e.single(dst, f, w, i, depth)
		}
		if err != nil {
			return dst, err
		}
		if i < 0 {
			return dst, errMalformed
		}
	}
	return dst, nil
}

// single appends a field that is neither list nor string, with its key; its value is at w[i:].
func (e *encoder) single(dst []byte, f *field, w []byte, i, depth int) ([]byte, int, error) {
	switch f.op {
	case opBool, opInt32, opInt64:
		v, next := uvarint(w, i)
		if next < 0 || v == 0 && f.skipsZero() {
			return dst, next, nil
		}
		return appendInteger(append(dst, f.key...), f.op, v), next, nil
	case opUint32, opUint64, opFloat, opDouble, opBytes:
		return appendScalarField(dst, f, w, i)
	case opMap:
		return e.mapping(dst, f, w, i, depth)
	}
	from, to := chunk(w, i)
	if to < 0 {
		return dst, -1, nil
	}
	value := w[from:to]
	var err error
	switch f.op {
	case opMessage:
		var tail []byte
		if depth == 0 {
			if tail, err = e.laterPieces(w, to, uint64(f.num)); err != nil {
				return dst, -1, err
			}
		}
		if len(value) > 0 || tail != nil || !f.omitsEmpty() {
			dst, err = e.message(append(dst, f.key...), f.sub, value, tail, depth)
		}
	case opInline:
		dst, err = e.fields(dst, f.sub, value, nil, depth+1)
	case opRest:
		dst, err = appendRest(dst, value)
	}
	return dst, to, err
}

// skipsZero reports whether a zero value is left out.
func (f *field) skipsZero() bool {
	return !f.presence && f.emit != optionsv1.Emit_EMIT_ZERO
}

// omitsEmpty reports whether an empty message is left out: the zero time is "not set" where null is not asked for.
func (f *field) omitsEmpty() bool {
	return f.emit == optionsv1.Emit_EMIT_UNSPECIFIED &&
		(f.sub.form == optionsv1.JSONForm_JSON_FORM_TIME || f.sub.form == optionsv1.JSONForm_JSON_FORM_MICRO_TIME)
}

// otherPacking reports whether typ is the other of the two encodings of a list of numbers.
func (f *field) otherPacking(typ protowire.Type) bool {
	if !f.repeated || f.op < opBool || f.op > opDouble {
		return false
	}
	return typ == protowire.BytesType || typ == f.elementType()
}

// elementType is the wire type of one element.
func (f *field) elementType() protowire.Type {
	switch f.op {
	case opFloat:
		return protowire.Fixed32Type
	case opDouble:
		return protowire.Fixed64Type
	case opBool, opInt32, opInt64, opUint32, opUint64:
		return protowire.VarintType
	}
	return protowire.BytesType
}

// laterPieces joins the later occurrences of a message field of the root: nil where there are none. The result is valid
// until the next call.
func (e *encoder) laterPieces(w []byte, i int, num uint64) ([]byte, error) {
	var tail []byte
	joined := false
	for i < len(w) {
		n, typ, next := nextTag(w, i)
		if next < 0 {
			return nil, errMalformed
		}
		if n == num && typ == protowire.BytesType {
			from, to := chunk(w, next)
			if to < 0 {
				return nil, errMalformed
			}
			switch {
			case len(tail) == 0:
				tail = w[from:to:to]
			case !joined:
				e.joined = append(append(e.joined[:0], tail...), w[from:to]...)
				tail, joined = e.joined, true
			default:
				e.joined = append(e.joined, w[from:to]...)
				tail = e.joined
			}
			i = to
			continue
		}
		if i = skipValue(w, next, n, typ); i < 0 {
			return nil, errMalformed
		}
	}
	return tail, nil
}

// skipField returns the index after the field whose tag is at w[i:], or -1.
func skipField(w []byte, i int) int {
	num, typ, next := nextTag(w, i)
	if next < 0 {
		return -1
	}
	return skipValue(w, next, num, typ)
}

// skipRun returns the index after the consecutive occurrences of a field, the first of which has its value at w[i:].
func skipRun(w []byte, i int, num uint64, typ protowire.Type) int {
	for {
		if i = skipValue(w, i, num, typ); i < 0 || i == len(w) {
			return i
		}
		n, t, next := nextTag(w, i)
		if next < 0 {
			return -1
		}
		if n != num {
			return i
		}
		i, typ = next, t
	}
}

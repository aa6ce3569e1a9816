package codec

import (
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
)

// form appends a message whose JSON is not a plain object.
func (e *encoder) form(dst []byte, t *Type, w []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, fmt.Errorf("%s is nested more than %d deep", t.name, maxDepth)
	}
	switch t.form {
	case optionsv1.JSONForm_JSON_FORM_TIME, optionsv1.JSONForm_JSON_FORM_MICRO_TIME:
		if len(w) == 0 { // the zero time, whereas seconds 0 is the epoch
			return append(dst, "null"...), nil
		}
		seconds, nanos, err := twoInts(w)
		if err != nil {
			return dst, err
		}
		return appendTime(dst, int64(seconds), int32(nanos), t.form == optionsv1.JSONForm_JSON_FORM_MICRO_TIME), nil
	case optionsv1.JSONForm_JSON_FORM_DURATION:
		nanos, _, err := twoInts(w)
		if err != nil {
			return dst, err
		}
		return append(append(append(dst, '"'), time.Duration(nanos).String()...), '"'), nil
	case optionsv1.JSONForm_JSON_FORM_QUANTITY:
		s, err := lastBytes(w, 1)
		if err != nil {
			return dst, err
		}
		return appendQuantity(dst, s)
	case optionsv1.JSONForm_JSON_FORM_INT_OR_STRING:
		return appendIntOrString(dst, w)
	case optionsv1.JSONForm_JSON_FORM_RAW:
		raw, err := lastBytes(w, 1)
		if err != nil {
			return dst, err
		}
		if len(raw) == 0 {
			return append(dst, "null"...), nil
		}
		if e.checked {
			return append(dst, raw...), nil
		}
		if err := checkJSON(raw); err != nil {
			return dst, fmt.Errorf("%s does not hold JSON: %w", t.name, err)
		}
		return append(dst, raw...), nil
	case optionsv1.JSONForm_JSON_FORM_LIST:
		return e.listForm(dst, t, w, depth)
	}
	return e.schemaForm(dst, t, w, depth)
}

// twoInts reads the varints with numbers 1 and 2 of a message.
func twoInts(w []byte) (one, two uint64, err error) {
	for i := 0; i < len(w); {
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return 0, 0, errMalformed
		}
		end := skipValue(w, next, num, typ)
		if end < 0 {
			return 0, 0, errMalformed
		}
		if typ == protowire.VarintType {
			switch num {
			case 1:
				one, _ = uvarint(w, next)
			case 2:
				two, _ = uvarint(w, next)
			}
		}
		i = end
	}
	return one, two, nil
}

// lastBytes reads the last occurrence of a length-delimited field.
func lastBytes(w []byte, want uint64) ([]byte, error) {
	var found []byte
	for i := 0; i < len(w); {
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return nil, errMalformed
		}
		end := skipValue(w, next, num, typ)
		if end < 0 {
			return nil, errMalformed
		}
		if num == want && typ == protowire.BytesType {
			from, to := chunk(w, next)
			found = w[from:to]
		}
		i = end
	}
	return found, nil
}

func appendIntOrString(dst, w []byte) ([]byte, error) {
	kind, value, err := twoInts(w)
	if err != nil {
		return dst, err
	}
	switch kind {
	case 0:
		return strconv.AppendInt(dst, int64(int32(value)), 10), nil
	case 1:
		s, err := lastBytes(w, 3)
		return appendString(dst, s), err
	}
	return dst, fmt.Errorf("impossible IntOrString.Type %d", kind)
}

// listForm appends the only repeated field of a message as an array. A message that is there without elements is the
// empty array: Kubernetes reads it so from protobuf.
func (e *encoder) listForm(dst []byte, t *Type, w []byte, depth int) ([]byte, error) {
	start := len(dst)
	dst, err := e.fields(dst, t, w, nil, depth+1)
	if err != nil {
		return dst, err
	}
	if len(dst) == start || dst[len(dst)-1] != ']' {
		return append(dst[:start], "[]"...), nil
	}
	key := len(t.fields[0].key)
	copy(dst[start:], dst[start+key:])
	return dst[:len(dst)-key], nil
}

// schemaForm appends the three unions of apiextensions: a schema, or an array, bool or list of strings.
func (e *encoder) schemaForm(dst []byte, t *Type, w []byte, depth int) ([]byte, error) {
	w, err := e.normalise(t, w, nil) // so that each member stands in one piece
	if err != nil {
		return dst, err
	}
	var schema []byte
	var hasSchema, allows bool
	for i := 0; i < len(w); {
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return dst, errMalformed
		}
		f := t.lookup(num)
		switch {
		case f == nil || f.tagValue&7 != uint64(typ):
		case f.repeated:
			start := len(dst)
			dst, _, err = e.list(dst, f, w, next, typ, depth+1)
			if err != nil {
				return dst, err
			}
			copy(dst[start:], dst[start+len(f.key):])
			return dst[:len(dst)-len(f.key)], nil
		case f.op == opMessage:
			from, to := chunk(w, next)
			schema, hasSchema = w[from:to], true
		case f.op == opBool:
			v, _ := uvarint(w, next)
			allows = v != 0
		}
		if i = skipValue(w, next, num, typ); i < 0 {
			return dst, errMalformed
		}
	}
	switch {
	case hasSchema:
		return e.message(dst, t.schema().sub, schema, nil, depth+1)
	case t.form == optionsv1.JSONForm_JSON_FORM_SCHEMA_OR_BOOL:
		return strconv.AppendBool(dst, allows), nil
	}
	return append(dst, "null"...), nil
}

// schema returns the singular message field of one of the three unions.
func (t *Type) schema() *field {
	for _, f := range t.fields {
		if f.op == opMessage && !f.repeated {
			return f
		}
	}
	panic("codec: " + t.name + " has no schema field")
}

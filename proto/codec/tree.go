package codec

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"google.golang.org/protobuf/proto"
)

// ToTree returns the JSON of a root object as a tree of map[string]any, []any, string, bool, int64, float64 and nil.
func ToTree(obj proto.Message) (map[string]any, error) {
	b := buffers.Get().(*[]byte)
	defer putBuffer(b)
	tm := TypeMetaOf(obj)
	json, err := AppendMessage((*b)[:0], obj, EncodeOptions{APIVersion: tm.APIVersion, Kind: tm.Kind})
	if err != nil {
		return nil, err
	}
	*b = json
	return parseObjectTree(json)
}

// WireToTree is ToTree for an object in protobuf encoding.
func (t *Type) WireToTree(wire []byte, o EncodeOptions) (map[string]any, error) {
	b := buffers.Get().(*[]byte)
	defer putBuffer(b)
	json, err := t.AppendJSON((*b)[:0], wire, o)
	if err != nil {
		return nil, err
	}
	*b = json
	return parseObjectTree(json)
}

func parseObjectTree(json []byte) (map[string]any, error) {
	v, err := ParseTree(json)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("cannot use a %s as an object", describe(v))
	}
	return m, nil
}

// FromTree reads a tree into a message, which is reset first.
func FromTree(tree map[string]any, obj proto.Message, o DecodeOptions) (Warnings, error) {
	b := buffers.Get().(*[]byte)
	defer putBuffer(b)
	json, err := AppendTree((*b)[:0], tree)
	if err != nil {
		return nil, err
	}
	*b = json
	return Unmarshal(json, obj, o)
}

// TreeToWire appends the protobuf encoding of a tree to dst.
func (t *Type) TreeToWire(dst []byte, tree map[string]any, o DecodeOptions) ([]byte, Warnings, error) {
	b := buffers.Get().(*[]byte)
	defer putBuffer(b)
	json, err := AppendTree((*b)[:0], tree)
	if err != nil {
		return dst, nil, err
	}
	*b = json
	return t.ParseJSON(dst, json, o)
}

// treeNodes is memory of documents whose nodes become trees.
var treeNodes = sync.Pool{New: func() any { return new(Nodes) }}

// ParseTree reads any JSON document. Numbers without fraction and exponent that fit are int64, others float64; of
// duplicate keys the last one counts.
func ParseTree(json []byte) (any, error) {
	nodes := treeNodes.Get().(*Nodes)
	defer func() {
		nodes.Reset()
		treeNodes.Put(nodes)
	}()
	n, err := nodes.Parse(json)
	if err != nil {
		return nil, err
	}
	return n.Tree(), nil
}

// AppendTree appends the JSON of a tree, with the keys of objects in order. Besides what ParseTree makes it takes int
// and int32; any other type is an error.
func AppendTree(dst []byte, v any) ([]byte, error) {
	return appendTree(dst, v, 0)
}

func appendTree(dst []byte, v any, depth int) ([]byte, error) {
	if depth > maxNesting {
		return dst, fmt.Errorf("tree is nested more than %d deep", maxNesting)
	}
	var err error
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return appendString(dst, unsafeBytes(v)), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case float64:
		return appendFloat(dst, v, 64)
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendTree(dst, e, depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case map[string]any:
		dst = append(dst, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, unsafeBytes(key)), ':')
			if dst, err = appendTree(dst, v[key], depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	return dst, fmt.Errorf("cannot write a %T as JSON", v)
}

func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "bool"
	case []any:
		return "list"
	}
	return "number"
}

package codec

import (
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	"github.com/keelson/keelson/proto/wire"
)

// buffers are reused between Marshal and Unmarshal for the encoding in the middle.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is the largest buffer worth keeping.
const maxPooled = 1 << 20

func putBuffer(b *[]byte) {
	if cap(*b) <= maxPooled {
		buffers.Put(b)
	}
}

// TypeMetaOf returns the apiVersion and kind of a message: those of its resource option's file and name, also for the
// list of a kind. They are empty for messages of files without a group.
func TypeMetaOf(obj proto.Message) TypeMeta {
	md := obj.ProtoReflect().Descriptor()
	gv, _ := proto.GetExtension(md.ParentFile().Options(), optionsv1.E_GroupVersion).(*optionsv1.GroupVersion)
	if gv == nil {
		if md.ParentFile().Package() == "keelson.meta.v1" {
			return TypeMeta{APIVersion: "v1", Kind: string(md.Name())}
		}
		return TypeMeta{}
	}
	version := gv.GetVersion()
	if gv.GetGroup() != "" {
		version = gv.GetGroup() + "/" + version
	}
	return TypeMeta{APIVersion: version, Kind: string(md.Name())}
}

// Marshal returns the JSON of a root object, with apiVersion and kind.
func Marshal(obj proto.Message) ([]byte, error) {
	tm := TypeMetaOf(obj)
	return AppendMessage(nil, obj, EncodeOptions{APIVersion: tm.APIVersion, Kind: tm.Kind})
}

// AppendMessage appends the JSON of a message to dst.
func AppendMessage(dst []byte, obj proto.Message, o EncodeOptions) ([]byte, error) {
	b := buffers.Get().(*[]byte)
	defer putBuffer(b)
	encoded, err := proto.MarshalOptions{}.MarshalAppend((*b)[:0], obj)
	if err != nil {
		return dst, err
	}
	*b = encoded
	if dst == nil {
		dst = make([]byte, 0, len(encoded)*2+64)
	}
	return For(obj.ProtoReflect().Descriptor()).AppendJSON(dst, encoded, o)
}

// Unmarshal reads a JSON document into a message, which is reset first. apiVersion and kind are not compared with the
// message: ask for DecodeOptions.TypeMeta to do so.
func Unmarshal(json []byte, obj proto.Message, o DecodeOptions) (Warnings, error) {
	b := buffers.Get().(*[]byte)
	defer putBuffer(b)
	encoded, warnings, err := For(obj.ProtoReflect().Descriptor()).ParseJSON((*b)[:0], json, o)
	if err != nil {
		return nil, err
	}
	*b = encoded
	proto.Reset(obj)
	return warnings, wire.Unmarshal(encoded, obj)
}

// Check tells what Unmarshal would say of the JSON of a message.
func Check(n *Node, md protoreflect.MessageDescriptor, o DecodeOptions) (Warnings, error) {
	json, wire := buffers.Get().(*[]byte), buffers.Get().(*[]byte)
	defer putBuffer(json)
	defer putBuffer(wire)
	text, err := AppendNode((*json)[:0], n)
	if err != nil {
		return nil, err
	}
	*json = text
	out, warnings, err := For(md).ParseJSON((*wire)[:0], text, o)
	if err == nil {
		*wire = out
	}
	return warnings, err
}

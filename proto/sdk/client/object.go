package client

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Object is a message that is an API kind.
type Object interface {
	proto.Message
	GetMetadata() *metav1.ObjectMeta
}

// Kind says how the API serves the kind of a message.
type Kind struct {
	Group, Version, Kind, Plural string
	Namespaced                   bool
}

// APIVersion returns "v1" or "apps/v1".
func (k Kind) APIVersion() string {
	if k.Group == "" {
		return k.Version
	}
	return k.Group + "/" + k.Version
}

// Resource returns the address of the kind in requests.
func (k Kind) Resource() *resourcev1.Resource {
	return &resourcev1.Resource{Group: k.Group, Version: k.Version, Plural: k.Plural}
}

var kinds sync.Map // protoreflect.FullName -> Kind

// KindOf returns the kind of a message from its descriptor's options. It panics for a message that is no kind, which
// is a mistake of the program.
func KindOf(m proto.Message) Kind {
	md := m.ProtoReflect().Descriptor()
	if k, ok := kinds.Load(md.FullName()); ok {
		return k.(Kind)
	}
	k, err := kindOf(md)
	if err != nil {
		panic(err)
	}
	kinds.Store(md.FullName(), k)
	return k
}

func kindOf(md protoreflect.MessageDescriptor) (Kind, error) {
	res, _ := proto.GetExtension(md.Options(), optionsv1.E_Resource).(*optionsv1.Resource)
	gv, _ := proto.GetExtension(md.ParentFile().Options(), optionsv1.E_GroupVersion).(*optionsv1.GroupVersion)
	if res.GetPlural() == "" || gv.GetVersion() == "" {
		return Kind{}, fmt.Errorf("client: %s is not an API kind: its descriptor lacks the resource option", md.FullName())
	}
	return Kind{
		Group: gv.GetGroup(), Version: gv.GetVersion(), Kind: string(md.Name()),
		Plural: res.GetPlural(), Namespaced: !res.GetClusterScoped(),
	}, nil
}

// Key names an object within its kind. Namespace is empty for cluster-scoped kinds.
type Key struct{ Namespace, Name string }

// String returns "namespace/name", or the name alone.
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Name
	}
	return k.Namespace + "/" + k.Name
}

// KeyOf returns the object's key.
func KeyOf(o Object) Key {
	m := o.GetMetadata()
	return Key{Namespace: m.GetNamespace(), Name: m.GetName()}
}

// Revision returns the object's resourceVersion as the number that it is here; 0 where there is none.
func Revision(o Object) int64 {
	n, err := strconv.ParseInt(o.GetMetadata().GetResourceVersion(), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// newOf returns an empty T. T is a pointer to a generated message.
func newOf[T proto.Message]() T {
	var zero T
	return zero.ProtoReflect().Type().New().Interface().(T)
}

// encode returns the object as the waist carries it: custom objects in JSON, with the kind that they do not say
// themselves.
func (k Kind) encode(m proto.Message) (*resourcev1.Object, error) {
	if _, ok := m.(*metav1.CustomObject); ok {
		raw, err := codec.AppendMessage(nil, m, codec.EncodeOptions{APIVersion: k.APIVersion(), Kind: k.Kind})
		if err != nil {
			return nil, fmt.Errorf("client: encode %s: %w", k.Kind, err)
		}
		return &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_JSON}, nil
	}
	raw, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("client: encode %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF}, nil
}

// decode returns the object that the waist carried; an absent one is empty. Custom objects come in JSON, of which a
// metadata client takes the metadata.
func decode[T proto.Message](o *resourcev1.Object) (T, error) {
	m := newOf[T]()
	var err error
	if o.GetEncoding() == resourcev1.Encoding_ENCODING_JSON {
		_, err = codec.Unmarshal(o.GetRaw(), m, codec.DecodeOptions{})
	} else {
		err = proto.Unmarshal(o.GetRaw(), m)
	}
	if err != nil {
		var zero T
		return zero, fmt.Errorf("client: decode %s at revision %d: %w",
			m.ProtoReflect().Descriptor().FullName(), o.GetRevision(), err)
	}
	return m, nil
}

package pipeline

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store/envelope"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/wire"
)

func errNoKind(m proto.Message) error {
	return fmt.Errorf("message %s is not a kind", m.ProtoReflect().Descriptor().FullName())
}

// kindOf returns the kind of a message. Messages that are no resources (Scale, Eviction, Status) get one that knows
// their name and type only.
func (s *Server) kindOf(m proto.Message) *schema.Kind {
	md := m.ProtoReflect().Descriptor()
	if k, ok := s.cfg.Registry.ByMessage(md.FullName()); ok {
		return k
	}
	if k, ok := s.bare.Load(md.FullName()); ok {
		return k.(*schema.Kind)
	}
	tm := codec.TypeMetaOf(m)
	k := &schema.Kind{Kind: tm.Kind, Descriptor: md}
	k.Group, k.Version = schema.SplitAPIVersion(tm.APIVersion)
	if md.FullName() == "keelson.meta.v1.Status" {
		k.Group, k.Version = "", "v1"
	}
	actual, _ := s.bare.LoadOrStore(md.FullName(), k)
	return actual.(*schema.Kind)
}

// decode reads an object that a client has sent, as a kind.
func (r *request) decode(k *schema.Kind, o *resourcev1.Object) (proto.Message, error) {
	if n := len(o.GetRaw()); n > r.s.cfg.MaxObjectBytes {
		return nil, apierrors.NewRequestEntityTooLarge(fmt.Sprintf("limit is %d", r.s.cfg.MaxObjectBytes))
	}
	obj, err := item.Empty(k)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	switch encoding := o.GetEncoding(); {
	case encoding == resourcev1.Encoding_ENCODING_JSON, encoding == resourcev1.Encoding_ENCODING_UNSPECIFIED && k.IsCustom():
		if err := r.decodeJSON(k, o.GetRaw(), obj); err != nil {
			return nil, err
		}
	case k.IsCustom():
		return nil, apierrors.NewUnsupportedMediaType("application/json, application/yaml")
	default:
		if err := wire.Unmarshal(o.GetRaw(), obj); err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("the object provided is not a %s in protobuf encoding: %v", k.Kind, err))
		}
	}
	metadata(obj)
	return obj, nil
}

func (r *request) decodeJSON(k *schema.Kind, raw []byte, obj proto.Message) error {
	var tm codec.TypeMeta
	warnings, err := k.Unmarshal(raw, obj, codec.DecodeOptions{Validation: r.validation, TypeMeta: &tm})
	if err != nil {
		var syntax *codec.SyntaxError
		if errors.As(err, &syntax) {
			return unrecognized(k, raw, fmt.Sprintf("couldn't get version/kind; json parse error: %v", err))
		}
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", k.Kind, k.Version, k.Kind, err))
	}
	r.warnings = append(r.warnings, warnings...)
	switch {
	case tm.Kind != "" && tm.Kind != k.Kind:
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: no kind %q is registered for the resource %q",
			tm.Kind, tm.APIVersion, k.Kind, tm.Kind, k.Plural))
	case tm.APIVersion != "" && tm.APIVersion != k.APIVersion():
		return apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%s)", tm.APIVersion, k.APIVersion()))
	}
	return nil
}

// unrecognized is the refusal of a body that does not say what it is. It ends with how the body begins.
func unrecognized(k *schema.Kind, raw []byte, why string) error {
	const most = 30
	begin := raw[:min(len(raw), most)]
	text := string(begin)
	switch {
	case len(raw) == 0:
		text = "<empty>"
	case raw[0] != '{':
		text = hex.EncodeToString(begin)
	}
	if len(raw) > most {
		text += " ..."
	}
	return apierrors.NewBadRequest(fmt.Sprintf("the object provided is unrecognized (must be of type %s): %s (%s)", k.Kind, why, text))
}

// metadata returns an object's metadata, creating it where it has none; nil for messages without.
func metadata(obj proto.Message) *metav1.ObjectMeta {
	o, ok := obj.(Object)
	if !ok {
		return nil
	}
	if m := o.GetMetadata(); m != nil {
		return m
	}
	fd := obj.ProtoReflect().Descriptor().Fields().ByNumber(1)
	if fd == nil || fd.Name() != "metadata" {
		return nil
	}
	setMetadata(obj, &metav1.ObjectMeta{})
	return o.GetMetadata()
}

// setMetadata replaces an object's metadata.
func setMetadata(obj proto.Message, meta *metav1.ObjectMeta) {
	m := obj.ProtoReflect()
	m.Set(m.Descriptor().Fields().ByName("metadata"), protoreflect.ValueOfMessage(meta.ProtoReflect()))
}

// value wraps an object's bytes for the store.
func (res *resource) value(raw []byte) ([]byte, error) {
	k := res.storage
	if !k.StoredAsJSON {
		return envelope.Append(nil, k.APIVersion(), k.Kind, raw), nil
	}
	value, err := codec.For(k.Descriptor).AppendJSON(nil, raw, codec.EncodeOptions{APIVersion: k.APIVersion(), Kind: k.Kind})
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return value, nil
}

// stamp is a time as objects hold it: whole seconds.
func stamp(t time.Time) *metav1.Time {
	s := t.Unix()
	return &metav1.Time{Seconds: &s, Nanos: new(int32)}
}

func clone[T proto.Message](m T) T { return proto.Clone(m).(T) }

// cloneUnmanaged clones metadata without the managed fields, which mostly are the larger part.
func cloneUnmanaged(m *metav1.ObjectMeta) *metav1.ObjectMeta {
	managed := m.GetManagedFields()
	if len(managed) == 0 {
		return clone(m)
	}
	m.ManagedFields = nil
	defer func() { m.ManagedFields = managed }()
	return clone(m)
}

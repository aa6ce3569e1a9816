package merge

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"k8s.io/apimachinery/pkg/util/mergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/schema/shape"
)

// Strategic applies a strategic merge patch to an object of a message type: lists merge by the keys that the type's
// options name. tree is used up: the result may share parts with it and tree itself may change.
func Strategic(md protoreflect.MessageDescriptor, tree map[string]any, patch []byte) (out map[string]any, err error) {
	defer guard(&err)
	p, err := parse(patch)
	if err != nil {
		return nil, err
	}
	result, err := strategicpatch.StrategicMergeMapPatchUsingLookupPatchMeta(tree, p, lookup{m: shape.Of(md)})
	if err != nil {
		return nil, strategicError(err)
	}
	return result, nil
}

func strategicError(err error) error {
	switch {
	case mergepatch.IsPreconditionFailed(err), errors.Is(err, mergepatch.ErrBadJSONDoc), errors.Is(err, mergepatch.ErrNoListOfLists),
		errors.Is(err, mergepatch.ErrBadPatchFormatForPrimitiveList), errors.Is(err, mergepatch.ErrBadPatchFormatForRetainKeys),
		errors.Is(err, mergepatch.ErrBadPatchFormatForSetElementOrderList), errors.Is(err, mergepatch.ErrUnsupportedStrategicMergePatchFormat):
		return apierrors.NewBadRequest(err.Error())
	}
	return unprocessable(err)
}

// unprocessable is the answer to a patch that is well formed and does not fit.
func unprocessable(err error) error {
	return apierrors.New(apierrors.ReasonInvalid, err.Error(), &metav1.StatusDetails{})
}

// guard turns a panic of a patch library, which hostile patches have provoked before, into an error of the request.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = apierrors.NewBadRequest(fmt.Sprintf("the patch cannot be applied: %v", r))
	}
}

// lookup tells the patch library what the options say of a message's fields. Fields that the type does not know have no
// metadata; the decoder reports them later.
type lookup struct {
	m *shape.Message // nil: a type without known fields
	// values is set for maps: the type of the values.
	values bool
}

func (l lookup) field(key string) (lookup, strategicpatch.PatchMeta) {
	var meta strategicpatch.PatchMeta
	if l.values {
		return lookup{m: l.m}, meta
	}
	if l.m == nil {
		return lookup{}, meta
	}
	f, ok := l.m.Field(key)
	if !ok {
		return lookup{}, meta
	}
	if s := f.Options.GetPatchStrategy(); s != "" {
		meta.SetPatchStrategies(strings.Split(s, ","))
	}
	meta.SetPatchMergeKey(f.Options.GetPatchMergeKey())
	return lookup{m: f.Elem, values: f.Desc.IsMap()}, meta
}

// LookupPatchMetadataForStruct implements strategicpatch.LookupPatchMeta.
func (l lookup) LookupPatchMetadataForStruct(key string) (strategicpatch.LookupPatchMeta, strategicpatch.PatchMeta, error) {
	sub, meta := l.field(key)
	return sub, meta, nil
}

// LookupPatchMetadataForSlice implements strategicpatch.LookupPatchMeta.
func (l lookup) LookupPatchMetadataForSlice(key string) (strategicpatch.LookupPatchMeta, strategicpatch.PatchMeta, error) {
	sub, meta := l.field(key)
	return sub, meta, nil
}

// Name implements strategicpatch.LookupPatchMeta.
func (l lookup) Name() string {
	if l.m == nil {
		return ""
	}
	return string(l.m.Desc.Name())
}

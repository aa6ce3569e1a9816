package rest

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/rest/body"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// deleteKind is the kind of a deletion's body. It is in every version of every group.
const deleteKind = "DeleteOptions"

// decodeDeleteOptions reads a deletion's body. What is something else must not delete anything.
func decodeDeleteOptions(contentType string, b []byte) (*metav1.DeleteOptions, error) {
	obj, err := body.Decode(contentType, b)
	if err != nil {
		return nil, err
	}
	o := &metav1.DeleteOptions{}
	wire, apiVersion, kind := obj.Raw, obj.APIVersion, obj.Kind
	if obj.Encoding == resourcev1.Encoding_ENCODING_JSON {
		var tm codec.TypeMeta
		if wire, _, err = codec.For(o.ProtoReflect().Descriptor()).ParseJSON(nil, obj.Raw, codec.DecodeOptions{TypeMeta: &tm}); err != nil {
			return nil, apierrors.NewBadRequest("couldn't get version/kind; json parse error: " + err.Error())
		}
		apiVersion, kind = tm.APIVersion, tm.Kind
	}
	if kind != "" && kind != deleteKind {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("no kind %q is registered for version %q: the body of a deletion is %s", kind, apiVersion, deleteKind))
	}
	if err := proto.Unmarshal(wire, o); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return o, nil
}

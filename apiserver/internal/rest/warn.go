package rest

import (
	"net/http"
	"strings"

	"github.com/keelson/keelson/apiserver/internal/rest/body"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"google.golang.org/protobuf/proto"
)

// maxWarnings bounds the bytes of warning headers: clients and proxies refuse a header that is too long.
const maxWarnings = 4 << 10

// warn adds a Warning header for each message: `299 - "unknown field \"spec.foo\""`.
func warn(w http.ResponseWriter, messages []string) {
	left := maxWarnings
	for _, v := range w.Header().Values("Warning") {
		left -= len(v)
	}
	for _, m := range messages {
		v := `299 - ` + quote(m)
		if left -= len(v); left < 0 {
			return
		}
		w.Header().Add("Warning", v)
	}
}

// quote writes an HTTP quoted-string; line breaks and other control characters become spaces.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c == 0x7f:
			b.WriteByte(' ')
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// decodeDeleteOptions reads a deletion's body.
func decodeDeleteOptions(contentType string, b []byte) (*metav1.DeleteOptions, error) {
	obj, err := body.Decode(contentType, b)
	if err != nil {
		return nil, err
	}
	o := &metav1.DeleteOptions{}
	wire := obj.Raw
	if obj.Encoding == resourcev1.Encoding_ENCODING_JSON {
		if wire, _, err = codec.For(o.ProtoReflect().Descriptor()).ParseJSON(nil, obj.Raw, codec.DecodeOptions{}); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	}
	if err := proto.Unmarshal(wire, o); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return o, nil
}

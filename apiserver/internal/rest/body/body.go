// Package body reads request bodies: within a limit, and from the three formats that clients write into the two that
// the pipeline takes.
package body

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/keelson/keelson/apiserver/internal/rest/envelope"
	"github.com/keelson/keelson/apiserver/internal/rest/media"
	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// maxAhead is how much memory is taken for a body before its bytes are there.
const maxAhead = 64 << 10

// Read returns the whole body, or 413 where it is longer than limit bytes.
func Read(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		// Nothing is unpacked: a few bytes could be made to stand for gigabytes.
		return nil, apierrors.New(apierrors.ReasonUnsupportedMediaType,
			fmt.Sprintf("the body of the request has the content encoding %.40q, which is not supported: send it as it is", e), nil)
	}
	capacity := r.ContentLength
	if capacity < 0 {
		capacity = 512
	}
	// What is announced may never come.
	capacity = min(capacity, maxAhead)
	b := make([]byte, 0, capacity+1)
	for {
		n, err := r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > limit {
			return nil, tooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("unable to read the body of the request: %v", err))
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

func tooLarge(limit int64) error {
	return apierrors.NewRequestEntityTooLarge(fmt.Sprintf("limit is %d", limit))
}

// Object is a body as the pipeline takes it.
type Object struct {
	Raw      []byte
	Encoding resourcev1.Encoding
	// Strict holds what a lenient reading of YAML passed over: keys that stand twice.
	Strict []string
	// APIVersion and Kind are known here for protobuf only; JSON carries them inside.
	APIVersion, Kind string
}

// Decode brings a body of the given content type to the pipeline's form. Whether the object is of the right kind, and
// every other question about it, is the pipeline's.
func Decode(contentType string, b []byte) (Object, error) {
	format, ok := media.OfBody(contentType)
	if !ok {
		return Object{}, apierrors.NewUnsupportedMediaType(strings.Join(
			media.Supported([]media.Format{media.JSON, media.YAML, media.Protobuf}), ", "))
	}
	switch format {
	case media.YAML:
		return decodeYAML(b)
	case media.Protobuf:
		o, err := envelope.Parse(b)
		if err != nil {
			return Object{}, apierrors.NewBadRequest(err.Error())
		}
		return Object{Raw: o.Raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF, APIVersion: o.APIVersion, Kind: o.Kind}, nil
	}
	return Object{Raw: b, Encoding: resourcev1.Encoding_ENCODING_JSON}, nil
}

func decodeYAML(b []byte) (Object, error) {
	o := Object{Encoding: resourcev1.Encoding_ENCODING_JSON}
	var err error
	if o.Raw, err = yaml.YAMLToJSONStrict(b); err == nil {
		return o, nil
	}
	strict := err
	if o.Raw, err = yaml.YAMLToJSON(b); err != nil {
		return Object{}, apierrors.NewBadRequest(fmt.Sprintf("error converting YAML to JSON: %v", err))
	}
	o.Strict = []string{strict.Error()}
	return o, nil
}

package rule

import (
	"encoding/json"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
)

// Value prepares a message for an error, where the bad value is shown as Kubernetes' JSON.
func Value(m proto.Message) any {
	if m == nil || !m.ProtoReflect().IsValid() {
		return json.RawMessage("null")
	}
	return jsonValue{m}
}

// Values is Value for lists.
func Values[T proto.Message](list []T) any {
	out := make([]any, len(list))
	for i, m := range list {
		out[i] = Value(m)
	}
	return out
}

// jsonValue is encoded only when the error is printed.
type jsonValue struct{ m proto.Message }

func (v jsonValue) MarshalJSON() ([]byte, error) {
	return codec.AppendMessage(nil, v.m, codec.EncodeOptions{})
}

func itoa(n int) string { return strconv.Itoa(n) }

package authz

import (
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/pipeline"
)

// decode reads an item whose kind is known, without its managed fields.
func decode(it *pipeline.Item, into proto.Message) error {
	return proto.UnmarshalOptions{AllowPartial: true}.Unmarshal(it.Trimmed(), into)
}

package openapi

import (
	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
)

// JoinedV2 makes a document of OpenAPI 2 of a tree that somebody else put together, of this server's and others'.
func JoinedV2(content map[string]any) (*Document, error) {
	return document(content, func(text []byte) (proto.Message, error) { return openapi_v2.ParseDocument(text) })
}

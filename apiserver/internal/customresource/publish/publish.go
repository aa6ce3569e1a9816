// Package publish writes the schemas of custom kinds for OpenAPI documents, as far as each version of OpenAPI can say
// what they say.
package publish

import (
	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

// Schema returns the schema of a whole object, but for apiVersion, kind and metadata, for OpenAPI version 3 or 2. The tree
// is the caller's.
func Schema(p *apiextensionsv1.JSONSchemaProps, v3 bool) map[string]any {
	nothing := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	if p == nil {
		return nothing
	}
	text, err := codec.AppendMessage(nil, p, codec.EncodeOptions{})
	if err != nil {
		return nothing
	}
	v, err := codec.ParseTree(text)
	tree, ok := v.(map[string]any)
	if err != nil || !ok {
		return nothing
	}
	if props, ok := tree["properties"].(map[string]any); ok {
		for _, name := range []string{"apiVersion", "kind", "metadata"} {
			delete(props, name)
		}
	}
	if !v3 {
		second(tree)
	}
	return tree
}

// second takes away what version 2 does not know.
func second(s map[string]any) {
	for _, k := range []string{"allOf", "anyOf", "oneOf", "not", "default", "x-kubernetes-validations"} {
		delete(s, k)
	}
	intOrString, _ := s["x-kubernetes-int-or-string"].(bool)
	keep, _ := s["x-kubernetes-preserve-unknown-fields"].(bool)
	nullable, _ := s["nullable"].(bool)
	delete(s, "nullable")
	switch {
	case intOrString:
		delete(s, "type")
	case nullable:
		// Clients of version 2 would refuse null where they know a type.
		for _, k := range []string{"type", "items", "properties", "additionalProperties", "required"} {
			delete(s, k)
		}
		return
	case keep:
		// They would refuse unknown fields where they know some.
		for _, k := range []string{"items", "properties"} {
			delete(s, k)
		}
		return
	}
	for _, k := range []string{"items", "additionalProperties"} {
		if sub, ok := s[k].(map[string]any); ok {
			second(sub)
		}
	}
	if props, ok := s["properties"].(map[string]any); ok {
		for _, sub := range props {
			if sub, ok := sub.(map[string]any); ok {
				second(sub)
			}
		}
	}
}

package openapi

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/openapi/comments"
)

// proxied are the methods that go through to a pod, service or node.
var proxied = []string{"get", "put", "post", "delete", "options", "head", "patch"}

// stream adds the paths of a subresource that is no object: a connection, or text.
func (b *builder) stream(paths object, path string, k, body *schema.Kind, s schema.Subresource) {
	suffix := strings.ToUpper(s.Name[:1]) + s.Name[1:]
	gvk := object{"group": s.Group, "version": s.Version, "kind": s.Kind}
	if s.Name == "log" {
		read := b.textOperation(k, "read"+idPrefix(k)+scopeName(k)+k.Kind+suffix, "get", gvk, []string{"text/plain", typeJSON, typeYAML, typeProto})
		logs, _ := b.registry.ByKind(k.Group, k.Version, "PodLogOptions")
		b.streamPath(paths, path, k, logs, object{"get": read}, "")
		return
	}
	methods := []string{"get", "post"}
	if s.Name == "proxy" {
		methods = proxied
	}
	connect := func(suffix string) object {
		item := object{}
		for _, m := range methods {
			id := "connect" + idPrefix(k) + strings.ToUpper(m[:1]) + m[1:] + scopeName(k) + k.Kind + suffix
			item[m] = b.textOperation(k, id, "connect", gvk, []string{"*/*"})
		}
		return item
	}
	b.streamPath(paths, path, k, body, connect(suffix), "")
	if s.Name == "proxy" {
		b.streamPath(paths, path+"/{path}", k, body, connect(suffix+"WithPath"), "path")
	}
}

// streamPath adds a path whose parameters are the fields of the options' message.
func (b *builder) streamPath(paths object, path string, k, options *schema.Kind, item object, inPath string) {
	params := []any{b.parameter("name", "path", "string", "The name of the object.")}
	if k.Namespaced {
		params = append(params, b.parameter("namespace", "path", "string", "The namespace of the object."))
	}
	if inPath != "" {
		params = append(params, b.parameter(inPath, "path", "string", "The path of the request at its target."))
	}
	if options != nil {
		fields := options.Descriptor.Fields()
		for i := range fields.Len() {
			f := fields.Get(i)
			typ := "string"
			switch f.Kind() {
			case protoreflect.BoolKind:
				typ = "boolean"
			case protoreflect.Int32Kind, protoreflect.Int64Kind:
				typ = "integer"
			}
			params = append(params, b.parameter(string(f.Name()), "query", typ, comments.Of(f.FullName())))
		}
	}
	item["parameters"] = params
	paths[path] = item
}

// textOperation is one whose answer is no object.
func (b *builder) textOperation(k *schema.Kind, id, action string, gvk object, produces []string) object {
	answer := object{"description": "OK"}
	text := object{"type": "string"}
	out := object{"operationId": id, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk, "tags": []string{tag(k)}}
	if b.v3 {
		answer["content"] = b.content(produces, text)
	} else {
		answer["schema"] = text
		out["consumes"], out["produces"], out["schemes"] = []string{"*/*"}, produces, []string{"https"}
	}
	out["responses"] = object{"200": answer, "401": object{"description": "Unauthorized"}}
	return out
}

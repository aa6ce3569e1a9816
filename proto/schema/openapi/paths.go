package openapi

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

const (
	typeJSON  = "application/json"
	typeYAML  = "application/yaml"
	typeProto = "application/vnd.kubernetes.protobuf"
)

var patchTypes = []string{"application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
	"application/strategic-merge-patch+json"}

var (
	statusType = (*metav1.Status)(nil).ProtoReflect().Descriptor()
	deleteType = (*metav1.DeleteOptions)(nil).ProtoReflect().Descriptor()
)

const patchName = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"

// query describes query parameters: name, type, description.
var query = map[string][2]string{
	"dryRun":               {"string", "'All' processes every stage of the request but stores nothing."},
	"fieldManager":         {"string", "The name of the actor that makes the changes."},
	"fieldValidation":      {"string", "What to do about unknown and duplicate fields: Ignore, Warn or Strict."},
	"force":                {"boolean", "Apply takes fields over that other managers own."},
	"labelSelector":        {"string", "Restricts the objects by their labels."},
	"fieldSelector":        {"string", "Restricts the objects by their fields."},
	"limit":                {"integer", "The most objects of one answer."},
	"continue":             {"string", "Where to go on, from the answer before."},
	"resourceVersion":      {"string", "At which version, or not before which, to read."},
	"resourceVersionMatch": {"string", "How resourceVersion is meant: Exact or NotOlderThan."},
	"sendInitialEvents":    {"boolean", "A watch starts with the present state."},
	"allowWatchBookmarks":  {"boolean", "A watch may send bookmarks."},
	"timeoutSeconds":       {"integer", "How long a list or watch may last."},
	"watch":                {"boolean", "Watch for changes instead of listing."},
	"pretty":               {"string", "If 'true', the answer is indented."},
	"gracePeriodSeconds":   {"integer", "How long the object may take to end; 0 is at once."},
	"propagationPolicy":    {"string", "What happens to dependents: Orphan, Background or Foreground."},
}

var (
	writeParams  = []string{"dryRun", "fieldManager", "fieldValidation"}
	listParams   = []string{"allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch"}
	deleteParams = []string{"dryRun", "gracePeriodSeconds", "propagationPolicy"}
)

// operation is one verb at one path.
type operation struct {
	verb, action string // "get", "list"
	id           string
	in, out      protoreflect.MessageDescriptor
	patch        bool
	query        []string
	kind         *schema.Kind
	gvk          object
}

// kindPaths adds the paths of a kind.
func (b *builder) kindPaths(paths object, k *schema.Kind) {
	root := base(k.Group, k.Version)
	scope := ""
	if k.Namespaced {
		scope = "/namespaces/{namespace}"
	}
	collection := root + scope + "/" + k.Plural
	id := func(verb, suffix string) string { return verb + idPrefix(k) + scopeName(k) + k.Kind + suffix }
	has := func(verb string) bool { return len(k.Verbs) == 0 || slices.Contains(k.Verbs, verb) }
	gvk := object{"group": k.Group, "version": k.Version, "kind": k.Kind}
	create := operation{verb: "post", action: "post", id: id("create", ""), in: k.Descriptor, out: k.Descriptor, query: writeParams, kind: k, gvk: gvk}
	if k.Ephemeral {
		b.path(paths, collection, k.Namespaced, false, create)
		return
	}
	list := operation{verb: "get", action: "list", id: id("list", ""), out: k.ListDescriptor, query: listParams, kind: k, gvk: gvk}
	b.path(paths, collection, k.Namespaced, false, only(has, list, create, operation{verb: "delete", action: "deletecollection",
		id: "delete" + idPrefix(k) + "Collection" + scopeName(k) + k.Kind, in: deleteType, out: statusType,
		query: append(append([]string{}, listParams...), deleteParams...), kind: k, gvk: gvk})...)
	b.path(paths, collection+"/{name}", k.Namespaced, true, only(has,
		operation{verb: "get", action: "get", id: id("read", ""), out: k.Descriptor, kind: k, gvk: gvk},
		operation{verb: "put", action: "put", id: id("replace", ""), in: k.Descriptor, out: k.Descriptor, query: writeParams, kind: k, gvk: gvk},
		operation{verb: "patch", action: "patch", id: id("patch", ""), patch: true, out: k.Descriptor, query: append([]string{"force"}, writeParams...), kind: k, gvk: gvk},
		operation{verb: "delete", action: "delete", id: id("delete", ""), in: deleteType, out: statusType, query: deleteParams, kind: k, gvk: gvk})...)
	if k.Namespaced {
		all := list
		all.id = "list" + idPrefix(k) + k.Kind + "ForAllNamespaces"
		b.path(paths, root+"/"+k.Plural, false, false, all)
	}
	for _, s := range k.Subresources {
		b.subresource(paths, collection+"/{name}/"+s.Name, k, s, id)
	}
}

func scopeName(k *schema.Kind) string {
	if k.Namespaced {
		return "Namespaced"
	}
	return ""
}

// discovered are the names by which discovery knows the actions.
var discovered = map[string]string{"post": "create", "put": "update"}

// only leaves out the operations that a kind does not have.
func only(has func(verb string) bool, ops ...operation) (out []operation) {
	for _, o := range ops {
		verb := o.action
		if name := discovered[verb]; name != "" {
			verb = name
		}
		if has(verb) {
			out = append(out, o)
		}
	}
	return out
}

func (b *builder) subresource(paths object, path string, k *schema.Kind, s schema.Subresource, id func(verb, suffix string) string) {
	body, ok := b.registry.ByKind(s.Group, s.Version, s.Kind)
	if ok && (strings.HasSuffix(body.Kind, "Options") || s.Name == "log") {
		b.stream(paths, path, k, body, s)
		return
	} else if !ok {
		return
	}
	gvk := object{"group": s.Group, "version": s.Version, "kind": s.Kind}
	suffix := strings.ToUpper(s.Name[:1]) + s.Name[1:]
	var ops []operation
	for _, v := range s.Verbs {
		switch v {
		case "get":
			ops = append(ops, operation{verb: "get", action: "get", id: id("read", suffix), out: body.Descriptor, kind: k, gvk: gvk})
		case "create":
			ops = append(ops, operation{verb: "post", action: "post", id: id("create", suffix), in: body.Descriptor, out: body.Descriptor, query: writeParams, kind: k, gvk: gvk})
		case "update":
			ops = append(ops, operation{verb: "put", action: "put", id: id("replace", suffix), in: body.Descriptor, out: body.Descriptor, query: writeParams, kind: k, gvk: gvk})
		case "patch":
			ops = append(ops, operation{verb: "patch", action: "patch", id: id("patch", suffix), patch: true, out: body.Descriptor, query: append([]string{"force"}, writeParams...), kind: k, gvk: gvk})
		}
	}
	b.path(paths, path, k.Namespaced, true, ops...)
}

func (b *builder) path(paths object, path string, namespaced, named bool, ops ...operation) {
	item := object{}
	var params []any
	if named {
		params = append(params, b.parameter("name", "path", "string", "The name of the object."))
	}
	if namespaced {
		params = append(params, b.parameter("namespace", "path", "string", "The namespace of the object."))
	}
	params = append(params, b.parameter("pretty", "query", query["pretty"][0], query["pretty"][1]))
	item["parameters"] = params
	for _, o := range ops {
		item[o.verb] = b.operation(o)
	}
	paths[path] = item
}

func (b *builder) parameter(name, in, typ, description string) object {
	p := object{"name": name, "in": in, "description": description}
	if in == "path" {
		p["required"] = true
	}
	if b.v3 {
		p["schema"] = object{"type": typ, "uniqueItems": true}
	} else {
		p["type"], p["uniqueItems"] = typ, true
	}
	return p
}

func (b *builder) operation(o operation) object {
	params := []any{}
	for _, q := range o.query {
		params = append(params, b.parameter(q, "query", query[q][0], query[q][1]))
	}
	out := object{"operationId": o.id, "x-kubernetes-action": o.action, "x-kubernetes-group-version-kind": o.gvk,
		"tags": []string{tag(o.kind)}}
	produces := []string{typeJSON, typeYAML, typeProto}
	answers := object{}
	codes := []string{"200"}
	if o.verb == "post" {
		codes = []string{"200", "201", "202"}
	} else if o.verb == "put" || o.verb == "patch" {
		codes = []string{"200", "201"}
	}
	for _, code := range codes {
		a := object{"description": map[string]string{"200": "OK", "201": "Created", "202": "Accepted"}[code]}
		if b.v3 {
			a["content"] = b.content(produces, b.body(o, o.out))
		} else {
			a["schema"] = b.body(o, o.out)
		}
		answers[code] = a
	}
	answers["401"] = object{"description": "Unauthorized"}
	out["responses"] = answers
	consumes, body := produces, object(nil)
	switch {
	case o.patch:
		consumes, body = patchTypes, b.patchRef()
		if o.kind.IsCustom() {
			consumes = patchTypes[:3] // all but the strategic one
		}
	case o.in != nil:
		body = b.body(o, o.in)
	}
	if b.v3 {
		if body != nil {
			out["requestBody"] = object{"content": b.content(consumes, body), "required": o.verb != "delete"}
		}
	} else {
		if body != nil {
			p := object{"name": "body", "in": "body", "schema": body}
			if o.verb != "delete" {
				p["required"] = true
			}
			params = append(params, p)
		}
		out["consumes"], out["produces"], out["schemes"] = consumes, produces, []string{"https"}
		if !o.patch {
			out["consumes"] = []string{"*/*"}
		}
	}
	if len(params) > 0 {
		out["parameters"] = params
	}
	return out
}

func (b *builder) content(types []string, schema object) object {
	out := object{}
	for _, t := range types {
		out[t] = object{"schema": schema}
	}
	return out
}

func (b *builder) patchRef() object {
	b.schemas[patchName] = object{"type": "object", "description": "Patch is the content of a patch, in the form that its media type says."}
	if b.v3 {
		return object{"$ref": "#/components/schemas/" + patchName}
	}
	return object{"$ref": "#/definitions/" + patchName}
}

// Package request reads Kubernetes' URL scheme: which resource and verb a request means, and the options that stand
// in its query.
package request

import (
	"net/http"
	"strings"
)

// Info says what a request asks for, in the words that authorization uses.
type Info struct {
	// IsResource is false for paths outside of /api/<version>/ and /apis/<group>/<version>/.
	IsResource bool
	// Path is the URL's path as received.
	Path string
	// Verb is get, list, watch, create, update, patch, delete or deletecollection; for other paths it is the HTTP
	// method in lower case.
	Verb string

	Group, Version, Resource, Subresource, Namespace, Name string
	// Tail is what follows the subresource: the path of a proxy request.
	Tail string
}

// namespaceSubresources are the words that after /namespaces/<name>/ belong to the namespace itself instead of naming
// a resource inside it.
var namespaceSubresources = map[string]bool{"status": true, "finalize": true}

// Parse derives the Info of a request. It never fails: whether the resource exists is the router's question.
func Parse(r *http.Request) *Info {
	info := &Info{Path: r.URL.Path, Verb: strings.ToLower(r.Method)}
	parts := split(r.URL.Path)
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		info.Version, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		info.Group, info.Version, parts = parts[1], parts[2], parts[3:]
	default:
		return info
	}
	info.IsResource = true
	watchPrefix := false
	if parts[0] == "watch" {
		// The old form of a watch: /api/v1/watch/pods.
		if len(parts) == 1 {
			info.IsResource = false
			return info
		}
		watchPrefix, parts = true, parts[1:]
	}
	if parts[0] == "namespaces" && len(parts) > 1 {
		info.Namespace = parts[1]
		// Past "namespaces/<ns>" stands a resource of the namespace, unless it is one of the namespace's own
		// subresources.
		if len(parts) > 2 && !namespaceSubresources[parts[2]] {
			parts = parts[2:]
		}
	}
	info.Resource = parts[0]
	if len(parts) > 1 {
		info.Name = parts[1]
	}
	if len(parts) > 2 {
		info.Subresource = parts[2]
	}
	if len(parts) > 3 {
		info.Tail = strings.Join(parts[3:], "/")
	}
	info.Verb = verb(r, info.Name, watchPrefix)
	return info
}

// verb translates the HTTP method.
func verb(r *http.Request, name string, watchPrefix bool) string {
	switch r.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		if name == "" {
			return "deletecollection"
		}
		return "delete"
	case http.MethodGet, http.MethodHead:
		switch {
		case watchPrefix:
			return "watch"
		case name != "":
			return "get"
		case boolean(r.URL.Query().Get("watch"), r.URL.Query().Has("watch")):
			return "watch"
		}
		return "list"
	}
	return strings.ToLower(r.Method)
}

// LongRunning tells whether the request lasts as long as its client likes: a watch, or a stream into a pod.
func (i *Info) LongRunning(r *http.Request) bool {
	if !i.IsResource {
		return false
	}
	if i.Verb == "watch" {
		return true
	}
	switch i.Subresource {
	case "exec", "attach", "portforward", "proxy":
		return true
	case "log":
		return boolean(r.URL.Query().Get("follow"), r.URL.Query().Has("follow"))
	}
	return false
}

// Scope names the breadth of the request as Kubernetes' metrics do.
func (i *Info) Scope() string {
	switch {
	case !i.IsResource:
		return ""
	case i.Name != "":
		return "resource"
	case i.Namespace != "":
		return "namespace"
	}
	return "cluster"
}

func split(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// boolean reads a query value the way Kubernetes converts strings to booleans: present without value is true, and
// only "false" and "0" are false.
func boolean(value string, present bool) bool {
	if !present {
		return false
	}
	switch strings.ToLower(value) {
	case "false", "0":
		return false
	}
	return true
}

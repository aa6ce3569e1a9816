package aggregate

import (
	"reflect"
	"strconv"
	"strings"
)

// refPrefix begins references to the definitions of a document of OpenAPI 2.
const refPrefix = "#/definitions/"

// mergeV2 adds to a document of OpenAPI 2 what another one says about the paths below root, with the definitions that
// those need. A definition whose name is taken by a different one gets another name.
func mergeV2(doc, other map[string]any, root string) {
	paths, definitions := child(doc, "paths"), child(doc, "definitions")
	theirs, _ := other["paths"].(map[string]any)
	known, _ := other["definitions"].(map[string]any)
	m := &merger{known: known, names: map[string]string{}}
	for path, v := range theirs {
		if path == root || strings.HasPrefix(path, root+"/") {
			m.collect(v)
		}
	}
	// Objects of the version that no path names are kept as well: kubectl explains by them.
	for name := range known {
		if d, ok := known[name].(map[string]any); ok && d["x-kubernetes-group-version-kind"] != nil && hasVersion(d, root) {
			m.collect(map[string]any{"$ref": refPrefix + name})
		}
	}
	for name := range m.names {
		m.names[name] = freeName(name, known[name], definitions)
	}
	for name, as := range m.names {
		definitions[as] = m.renamed(known[name])
	}
	for path, v := range theirs {
		if path == root || strings.HasPrefix(path, root+"/") {
			paths[path] = m.renamed(v)
		}
	}
}

func child(m map[string]any, key string) map[string]any {
	c, ok := m[key].(map[string]any)
	if !ok {
		c = map[string]any{}
		m[key] = c
	}
	return c
}

// hasVersion tells whether a definition is of a kind of the version at root.
func hasVersion(d map[string]any, root string) bool {
	list, _ := d["x-kubernetes-group-version-kind"].([]any)
	for _, v := range list {
		if gvk, ok := v.(map[string]any); ok {
			group, _ := gvk["group"].(string)
			version, _ := gvk["version"].(string)
			if (groupVersion{group, version}).root() == root {
				return true
			}
		}
	}
	return false
}

// merger follows references.
type merger struct {
	known map[string]any
	names map[string]string // what is needed, and what it is called in the joined document
}

// collect finds the definitions that a part of the document needs.
func (m *merger) collect(v any) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			if name, ok := strings.CutPrefix(ref, refPrefix); ok && m.known[name] != nil {
				if _, seen := m.names[name]; !seen {
					m.names[name] = name
					m.collect(m.known[name])
				}
			}
		}
		for _, c := range v {
			m.collect(c)
		}
	case []any:
		for _, c := range v {
			m.collect(c)
		}
	}
}

// freeName is the name itself where nothing else has it.
func freeName(name string, definition any, taken map[string]any) string {
	candidate := name
	for i := 2; ; i++ {
		have, ok := taken[candidate]
		if !ok || reflect.DeepEqual(have, definition) {
			return candidate
		}
		candidate = name + "_v" + strconv.Itoa(i)
	}
}

// renamed copies a part of the document with references as they are in the joined one.
func (m *merger) renamed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, c := range v {
			if ref, ok := c.(string); ok && k == "$ref" {
				if name, ok := strings.CutPrefix(ref, refPrefix); ok && m.names[name] != "" {
					c = refPrefix + m.names[name]
				}
			}
			out[k] = m.renamed(c)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, c := range v {
			out[i] = m.renamed(c)
		}
		return out
	}
	return v
}

// Package structural holds the schemas of custom resources in the form in which they are worked with: one node for each
// value that a manifest can have, with what is dropped, what is set and whose field is whose.
package structural

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

// Schema is one node. It does not change once it is made.
type Schema struct {
	// Props is the node as the definition has it; it says what values are valid.
	Props *apiextensionsv1.JSONSchemaProps
	Type  string
	// Nullable, IntOrString, PreserveUnknown and Embedded are nullable and the x-kubernetes- extensions of these names.
	Nullable, IntOrString, PreserveUnknown, Embedded bool
	// ListType and MapType are empty where the definition says nothing.
	ListType, MapType string
	ListMapKeys       []string
	// Properties are the fields of an object in the order of Names.
	Properties map[string]*Schema
	Names      []string
	// Additional is the schema of the values of a map; nil where the node is none or allows anything.
	Additional *Schema
	// AnyAdditional tells that a map's values may be anything.
	AnyAdditional bool
	Items         *Schema
	// Default is the value of a field that is not set; HasDefault tells it from null.
	Default    any
	HasDefault bool

	// within tells whether there is a default in here or below.
	within bool
}

// New makes the node of a definition's schema and those below. The schema need not be valid.
func New(p *apiextensionsv1.JSONSchemaProps) *Schema {
	if p == nil {
		return nil
	}
	s := &Schema{
		Props: p, Type: p.GetType(), Nullable: p.GetNullable(), IntOrString: p.GetXKubernetesIntOrString(),
		PreserveUnknown: p.GetXKubernetesPreserveUnknownFields(), Embedded: p.GetXKubernetesEmbeddedResource(),
		ListType: p.GetXKubernetesListType(), MapType: p.GetXKubernetesMapType(), ListMapKeys: p.GetXKubernetesListMapKeys(),
		Items: New(p.GetItems().GetSchema()),
	}
	if len(p.GetProperties()) > 0 {
		s.Properties = make(map[string]*Schema, len(p.GetProperties()))
		for name, sub := range p.GetProperties() {
			s.Properties[name] = New(sub)
		}
		s.Names = slices.Sorted(maps.Keys(s.Properties))
	}
	if a := p.GetAdditionalProperties(); a != nil {
		s.Additional = New(a.GetSchema())
		s.AnyAdditional = s.Additional == nil && a.GetAllows()
	}
	if p.Default != nil && len(p.Default.GetRaw()) > 0 {
		if v, err := codec.ParseTree(p.Default.GetRaw()); err == nil {
			s.Default, s.HasDefault = v, true
		}
	}
	s.within = s.HasDefault || s.Items.defaults() || s.Additional.defaults()
	for _, sub := range s.Properties {
		s.within = s.within || sub.defaults()
	}
	return s
}

func (s *Schema) defaults() bool { return s != nil && s.within }

// Child returns the schema of a member of an object; nil where there is none.
func (s *Schema) Child(name string) *Schema {
	if s == nil {
		return nil
	}
	if sub := s.Properties[name]; sub != nil {
		return sub
	}
	return s.Additional
}

// Equal tells whether two schemas of the same definition's versions are written alike.
func Equal(a, b *apiextensionsv1.JSONSchemaProps) bool {
	x, errX := codec.AppendMessage(nil, a, codec.EncodeOptions{})
	y, errY := codec.AppendMessage(nil, b, codec.EncodeOptions{})
	return errX == nil && errY == nil && string(x) == string(y)
}

// Copy returns a value that shares nothing with a tree.
func Copy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = Copy(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = Copy(e)
		}
		return out
	}
	return v
}

// Text shows a value in an error.
func Text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

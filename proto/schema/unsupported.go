package schema

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/schema/shape"
)

// UnsupportedField is a field that is refused where it is set, because nothing acts on it yet.
type UnsupportedField struct {
	// Message and Field are names as in the API's documentation: "PodSpec", "runtimeClassName".
	Message, Field string
	Reason         string
}

// Unsupported lists the fields inside served kinds that are refused, by message and field: what documentation says of them
// comes from the options, as their refusal does. Values that are refused while others of the same field are not stand in
// the kinds' own rules.
func (r *Registry) Unsupported() []UnsupportedField {
	seen := map[protoreflect.FullName]bool{}
	var out []UnsupportedField
	var visit func(m *shape.Message)
	visit = func(m *shape.Message) {
		if seen[m.Desc.FullName()] {
			return
		}
		seen[m.Desc.FullName()] = true
		for _, f := range m.Fields {
			if why := f.Options.GetUnsupported(); why != "" {
				out = append(out, UnsupportedField{string(f.Desc.ContainingMessage().Name()), f.Name, why})
				continue // nothing inside can be set
			}
			if f.Elem != nil {
				visit(f.Elem)
			}
		}
	}
	for _, k := range r.kinds {
		if k.Served {
			visit(shape.Of(k.Descriptor))
		}
	}
	slices.SortFunc(out, func(a, b UnsupportedField) int {
		return cmp.Or(strings.Compare(a.Message, b.Message), strings.Compare(a.Field, b.Field))
	})
	return slices.Compact(out)
}

package cel

import (
	"slices"
	"strconv"

	celgo "github.com/google/cel-go/cel"
)

// Schema describes JSON values to expressions: the part of a structural schema that matters to them. It must not be
// changed once it is in use. It may contain itself.
type Schema struct {
	// Type is "object", "array", "string", "integer", "number", "boolean" or empty.
	Type, Format string
	// Properties are the fields of an object, Additional the values of a map.
	Properties map[string]*Schema
	Additional *Schema
	Items      *Schema
	// ListType is "map", "set", "atomic" or empty; ListMapKeys are the keys of a map.
	ListType    string
	ListMapKeys []string
	// Nullable, IntOrString, PreserveUnknown and Embedded are nullable, x-kubernetes-int-or-string,
	// x-kubernetes-preserve-unknown-fields and x-kubernetes-embedded-resource.
	Nullable, IntOrString, PreserveUnknown, Embedded bool
	// Dynamic values have no schema, and expressions may look into them all the same.
	Dynamic  bool
	Required []string
	Enum     []any
	// HasDefault fields do not count in the estimate of how small an object can be.
	HasDefault                         bool
	MaxLength, MaxItems, MaxProperties *int64
}

var text = &Schema{Type: "string"}

// WithMeta returns the schema of a whole object: apiVersion, kind, metadata.name and metadata.generateName can always
// be named.
func (s *Schema) WithMeta() *Schema {
	if s.Type != "object" {
		return s
	}
	out := *s
	out.Properties = make(map[string]*Schema, len(s.Properties)+3)
	for k, v := range s.Properties {
		out.Properties[k] = v
	}
	out.Properties["apiVersion"], out.Properties["kind"] = text, text
	if m := out.Properties["metadata"]; m == nil || m.Properties["name"] == nil || m.Properties["generateName"] == nil {
		out.Properties["metadata"] = &Schema{Type: "object", Properties: map[string]*Schema{"name": text, "generateName": text}}
	}
	return &out
}

// declaration is a schema as CEL's checker sees it.
type declaration struct {
	typ *celgo.Type
	// fields go by escaped names.
	fields map[string]*declaration
	// items are the elements of a list, values those of a map.
	items, values *declaration
	// most is how many elements or bytes there can be.
	most int64
	// least is how short the value can be as JSON.
	least int64
}

// declarer turns schemas into declarations.
type declarer struct {
	// objects are the named types.
	objects map[string]*declaration
	// raw names can be used beside the escaped ones.
	raw      bool
	bySchema map[*Schema]*declaration
}

// declare returns nil for schemas that expressions cannot look into.
func (d *declarer) declare(s *Schema, name string) *declaration {
	if s == nil {
		return nil
	}
	if out, ok := d.bySchema[s]; ok {
		return out
	}
	if s.Embedded {
		whole := s.WithMeta()
		whole.Embedded = false
		out := d.declare(whole, name)
		d.bySchema[s] = out
		return out
	}
	switch {
	case s.Dynamic:
		return d.keep(s, &declaration{typ: celgo.DynType, most: maxRequest - 2, least: 1})
	case s.IntOrString:
		most := int64(maxRequest - 2)
		if s.MaxLength != nil {
			most = max(*s.MaxLength, 0) * 4
		}
		return d.keep(s, &declaration{typ: celgo.DynType, most: most, least: 1})
	case s.Type == "array":
		return d.list(s, name)
	case s.Type == "object" && s.Additional != nil:
		return d.mapping(s, name)
	case s.Type == "object":
		return d.object(s, name)
	case s.Type == "string":
		return d.keep(s, stringDeclaration(s))
	case s.Type == "boolean":
		return d.keep(s, &declaration{typ: celgo.BoolType, least: 4})
	case s.Type == "integer":
		return d.keep(s, &declaration{typ: celgo.IntType, least: 1})
	case s.Type == "number":
		return d.keep(s, &declaration{typ: celgo.DoubleType, least: 1})
	}
	return d.keep(s, nil)
}

func (d *declarer) keep(s *Schema, out *declaration) *declaration {
	d.bySchema[s] = out
	return out
}

func (d *declarer) list(s *Schema, name string) *declaration {
	items := d.declare(s.Items, name+".@idx")
	if items == nil {
		return d.keep(s, nil)
	}
	most := (maxRequest - 2) / (items.least + 1)
	if s.MaxItems != nil {
		most = max(*s.MaxItems, 0)
	}
	return d.keep(s, &declaration{typ: celgo.ListType(items.typ), items: items, most: most, least: 2})
}

func (d *declarer) mapping(s *Schema, name string) *declaration {
	values := d.declare(s.Additional, name+".@elem")
	if values == nil {
		return d.keep(s, nil)
	}
	most := (maxRequest - 2) / (values.least + 6)
	if s.MaxProperties != nil {
		most = max(*s.MaxProperties, 0)
	}
	return d.keep(s, &declaration{typ: celgo.MapType(celgo.StringType, values.typ), values: values, most: most, least: 2})
}

func (d *declarer) object(s *Schema, name string) *declaration {
	for i := 2; d.objects[name] != nil; i++ {
		name += "#" + strconv.Itoa(i)
	}
	out := &declaration{typ: celgo.ObjectType(name), fields: map[string]*declaration{}, least: 2}
	d.objects[name], d.bySchema[s] = out, out // first: it may contain itself
	for field, sub := range s.Properties {
		f := d.declare(sub, name+"."+field)
		if f == nil {
			continue
		}
		if escaped, ok := Escape(field); ok {
			out.fields[escaped] = f
		}
		if d.raw {
			out.fields[field] = f
		}
		if slices.Contains(s.Required, field) && !sub.HasDefault {
			out.least += int64(len(field)) + f.least + 4
		}
	}
	return out
}

// stringDeclaration bounds strings by their format, length or values.
func stringDeclaration(s *Schema) *declaration {
	switch s.Format {
	case "byte":
		out := &declaration{typ: celgo.BytesType, most: maxRequest - 2, least: 2}
		if s.MaxLength != nil {
			out.most = max(*s.MaxLength, 0)
		}
		return out
	case "duration":
		return &declaration{typ: celgo.DurationType, most: 32, least: 3}
	case "date":
		return &declaration{typ: celgo.TimestampType, most: 12, least: 12}
	case "date-time":
		return &declaration{typ: celgo.TimestampType, most: 32, least: 21}
	}
	out := &declaration{typ: celgo.StringType, most: maxRequest - 2, least: 2}
	switch {
	case s.MaxLength != nil:
		out.most = max(*s.MaxLength, 0) * 4 // characters, of up to four bytes
	case len(s.Enum) > 0:
		out.most = 0
		for _, v := range s.Enum {
			if text, ok := v.(string); ok {
				out.most = max(out.most, int64(len(text)))
			}
		}
	}
	return out
}

package validate

import (
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

// specOf makes the schema that kube-openapi validates by.
func specOf(p *apiextensionsv1.JSONSchemaProps) *spec.Schema {
	if p == nil {
		return nil
	}
	out := &spec.Schema{}
	if p.GetType() != "" {
		out.Type = spec.StringOrArray{p.GetType()}
	}
	if p.GetXKubernetesIntOrString() {
		out.Type = spec.StringOrArray{"integer", "string"}
	}
	out.Nullable, out.Format = p.GetNullable(), p.GetFormat()
	out.Maximum, out.ExclusiveMaximum, out.Minimum, out.ExclusiveMinimum = p.Maximum, p.GetExclusiveMaximum(), p.Minimum, p.GetExclusiveMinimum()
	out.MaxLength, out.MinLength, out.Pattern = p.MaxLength, p.MinLength, p.GetPattern()
	out.MaxItems, out.MinItems, out.UniqueItems = p.MaxItems, p.MinItems, p.GetUniqueItems()
	out.MultipleOf, out.MaxProperties, out.MinProperties, out.Required = p.MultipleOf, p.MaxProperties, p.MinProperties, p.GetRequired()
	for _, e := range p.GetEnum() {
		if v, err := codec.ParseTree(e.GetRaw()); err == nil {
			out.Enum = append(out.Enum, v)
		}
	}
	out.AllOf, out.AnyOf, out.OneOf = specsOf(p.GetAllOf()), specsOf(p.GetAnyOf()), specsOf(p.GetOneOf())
	out.Not = specOf(p.GetNot())
	if len(p.GetProperties()) > 0 {
		out.Properties = make(map[string]spec.Schema, len(p.GetProperties()))
		for name, sub := range p.GetProperties() {
			out.Properties[name] = *specOf(sub)
		}
	}
	if a := p.GetAdditionalProperties(); a != nil {
		out.AdditionalProperties = &spec.SchemaOrBool{Allows: a.GetAllows() || a.GetSchema() != nil, Schema: specOf(a.GetSchema())}
	}
	if items := p.GetItems().GetSchema(); items != nil {
		out.Items = &spec.SchemaOrArray{Schema: specOf(items)}
	}
	dropFormat(out)
	return out
}

func specsOf(list []*apiextensionsv1.JSONSchemaProps) []spec.Schema {
	var out []spec.Schema
	for _, p := range list {
		out = append(out, *specOf(p))
	}
	return out
}

// stringFormats are those that are checked, without their dashes.
var stringFormats = func() map[string]bool {
	out := map[string]bool{}
	for _, f := range strings.Fields(`bsonobjectid uri email hostname ipv4 ipv6 cidr mac uuid uuid3 uuid4 uuid5 isbn isbn10 isbn13
		creditcard ssn hexcolor rgbcolor byte password date duration datetime k8sshortname k8slongname`) {
		out[f] = true
	}
	return out
}()

// KnownFormat tells whether values of a type are checked for a format. Other formats are allowed and mean nothing.
func KnownFormat(typ, format string) bool {
	switch typ {
	case "", "string":
		return stringFormats[strings.ReplaceAll(format, "-", "")]
	case "integer":
		return format == "int32" || format == "int64"
	case "number":
		return format == "float" || format == "double"
	}
	return false
}

// dropFormat takes away a format that is not checked.
func dropFormat(s *spec.Schema) {
	typ := ""
	if len(s.Type) == 1 {
		typ = s.Type[0]
	}
	if !KnownFormat(typ, s.Format) {
		s.Format = ""
	}
}

package definition

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/apiserver/internal/customresource/rules"
	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

const maxSelectable = 8

var (
	columnTypes   = []string{"boolean", "date", "integer", "number", "string"}
	columnFormats = []string{"byte", "date", "date-time", "double", "float", "int32", "int64", "password"}
)

type version = apiextensionsv1.CustomResourceDefinitionVersion

// checkVersion looks at what a version has of its own; common is what all versions have alike, which is looked at once.
func checkVersion(v, old *version, common alike, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, problem := range checkWarning(v) {
		errs = append(errs, field.Invalid(at.Child("deprecationWarning"), v.GetDeprecationWarning(), problem))
	}
	if !common.schema {
		errs = append(errs, checkVersionSchema(v, old, at.Child("schema", "openAPIV3Schema"))...)
	}
	if !common.subresources {
		errs = append(errs, checkScale(v.GetSubresources().GetScale(), at.Child("subresources"))...)
	}
	if !common.columns {
		errs = append(errs, checkColumns(v, at.Child("additionalPrinterColumns"))...)
	}
	if !common.selectable {
		errs = append(errs, checkSelectable(v.GetSelectableFields(), structural.New(v.GetSchema().GetOpenAPIV3Schema()), at.Child("selectableFields"))...)
	}
	return errs
}

func checkVersionSchema(v, old *version, at *field.Path) field.ErrorList {
	props := v.GetSchema().GetOpenAPIV3Schema()
	if props == nil || old != nil && proto.Equal(props, old.GetSchema().GetOpenAPIV3Schema()) {
		return nil // as it was when it was checked before
	}
	return checkSchema(props, structural.New(props), v.GetSubresources().GetStatus() != nil, at)
}

func checkColumns(v *version, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, c := range v.GetAdditionalPrinterColumns() {
		errs = append(errs, checkColumn(c, at.Index(i))...)
	}
	return errs
}

// alike tells what all versions of a definition have alike. Errors in it are told of the definition and not of a version:
// so it was in the first version of this API, and so Kubernetes still says it.
type alike struct{ schema, subresources, columns, selectable bool }

func common(versions []*version) alike {
	out := alike{true, true, true, true}
	for _, v := range versions {
		first := versions[0]
		out.schema = out.schema && v.GetSchema() != nil && proto.Equal(v.GetSchema(), first.GetSchema())
		out.subresources = out.subresources && v.GetSubresources() != nil && proto.Equal(v.GetSubresources(), first.GetSubresources())
		out.columns = out.columns && same(v.GetAdditionalPrinterColumns(), first.GetAdditionalPrinterColumns())
		out.selectable = out.selectable && same(v.GetSelectableFields(), first.GetSelectableFields())
	}
	return out
}

func same[T proto.Message](a, b []T) bool {
	return len(a) > 0 && slices.EqualFunc(a, b, func(x, y T) bool { return proto.Equal(x, y) })
}

// checkCommon looks at what all versions have alike.
func checkCommon(versions []*version, old *version, c alike, at *field.Path) field.ErrorList {
	if len(versions) == 0 {
		return nil
	}
	var errs field.ErrorList
	v := versions[0]
	if c.schema {
		errs = append(errs, checkVersionSchema(v, old, at.Child("validation", "openAPIV3Schema"))...)
	}
	if c.subresources {
		errs = append(errs, checkScale(v.GetSubresources().GetScale(), at.Child("subresources"))...)
	}
	if c.columns {
		errs = append(errs, checkColumns(v, at.Child("additionalPrinterColumns"))...)
	}
	if c.selectable {
		errs = append(errs, checkSelectable(v.GetSelectableFields(), structural.New(v.GetSchema().GetOpenAPIV3Schema()), at.Child("selectableFields"))...)
	}
	return errs
}

func checkWarning(v *apiextensionsv1.CustomResourceDefinitionVersion) []string {
	if v.DeprecationWarning == nil {
		return nil
	}
	if !v.GetDeprecated() {
		return []string{"can only be set for deprecated versions"}
	}
	text := v.GetDeprecationWarning()
	var out []string
	if len(text) > 256 {
		out = append(out, "must be <= 256 characters long")
	}
	if text == "" {
		out = append(out, "must not be an empty string")
	}
	for i, r := range text {
		if !unicode.IsPrint(r) {
			out = append(out, fmt.Sprintf("must only contain printable UTF-8 characters; non-printable character found at index %d", i))
			break
		}
	}
	if !utf8.ValidString(text) {
		out = append(out, "must only contain printable UTF-8 characters")
	}
	return out
}

func checkScale(s *apiextensionsv1.CustomResourceSubresourceScale, at *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	var errs field.ErrorList
	path := func(name, value string, required bool, under string, prefixes ...string) {
		at := at.Child("scale." + name)
		switch {
		case value == "" && required:
			errs = append(errs, field.Required(at, ""))
		case value == "":
		case value[0] != '.':
			errs = append(errs, field.Invalid(at, value, "must be a simple json path starting with ."))
		case !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(value, p) }):
			errs = append(errs, field.Invalid(at, value, "should be a json path under "+under))
		}
	}
	path("specReplicasPath", s.GetSpecReplicasPath(), true, ".spec", ".spec.")
	path("statusReplicasPath", s.GetStatusReplicasPath(), true, ".status", ".status.")
	path("labelSelectorPath", s.GetLabelSelectorPath(), false, "either .spec or .status", ".spec.", ".status.")
	return errs
}

func checkColumn(c *apiextensionsv1.CustomResourceColumnDefinition, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if c.GetName() == "" {
		errs = append(errs, field.Required(at.Child("name"), ""))
	}
	oneOf := "must be one of " + strings.Join(columnTypes, ",")
	if c.GetType() == "" {
		errs = append(errs, field.Required(at.Child("type"), oneOf))
	} else if !slices.Contains(columnTypes, c.GetType()) {
		errs = append(errs, field.Invalid(at.Child("type"), c.GetType(), oneOf))
	}
	if f := c.GetFormat(); f != "" && !slices.Contains(columnFormats, f) {
		errs = append(errs, field.Invalid(at.Child("format"), f, "must be one of "+strings.Join(columnFormats, ",")))
	}
	if c.GetJsonPath() == "" {
		errs = append(errs, field.Required(at.Child("JSONPath"), ""))
	} else if c.GetJsonPath()[0] != '.' {
		errs = append(errs, field.Invalid(at.Child("JSONPath"), c.GetJsonPath(), "must be a simple json path starting with ."))
	}
	return errs
}

func checkSelectable(fields []*apiextensionsv1.SelectableField, s *structural.Schema, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, f := range fields {
		at, path := at.Index(i).Child("jsonPath"), f.GetJsonPath()
		if path == "" {
			errs = append(errs, field.Required(at, ""))
			continue
		}
		steps, found, err := rules.ParsePath(path, s, false)
		if err != nil {
			errs = append(errs, field.Invalid(at, path, fmt.Sprintf("is an invalid path: %v", err)))
			continue
		}
		name := rules.Dotted(steps)
		if name == "metadata" || strings.HasPrefix(name, "metadata.") {
			errs = append(errs, field.Invalid(at, path, "must not point to fields in metadata"))
		}
		if found == nil || !slices.Contains([]string{"string", "boolean", "integer"}, found.Type) {
			errs = append(errs, field.Invalid(at, path, "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."))
		}
		if seen[name] {
			errs = append(errs, field.Duplicate(at, path))
		}
		seen[name] = true
	}
	if len(seen) > maxSelectable {
		errs = append(errs, field.TooMany(at, len(seen), maxSelectable))
	}
	return errs
}

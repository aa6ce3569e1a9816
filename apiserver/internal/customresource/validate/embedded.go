package validate

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
)

// checkEmbedded looks at whole objects within an object: they say their kind, and have valid names where they have any.
func checkEmbedded(s *structural.Schema, v any, at *field.Path, root bool) field.ErrorList {
	if s == nil {
		return nil
	}
	var errs field.ErrorList
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			errs = append(errs, checkEmbedded(s.Items, e, at.Index(i), false)...)
		}
	case map[string]any:
		if s.Embedded && !root {
			errs = embedded(v, at)
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if sub := s.Properties[name]; sub != nil {
				errs = append(errs, checkEmbedded(sub, v[name], at.Child(name), false)...)
			} else if s.Additional != nil {
				errs = append(errs, checkEmbedded(s.Additional, v[name], at.Key(name), false)...)
			}
		}
	}
	return errs
}

func embedded(m map[string]any, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch apiVersion, _ := m["apiVersion"].(string); {
	case apiVersion == "":
		errs = append(errs, field.Required(at.Child("apiVersion"), "must not be empty"))
	case strings.Count(apiVersion, "/") > 1:
		errs = append(errs, field.Invalid(at.Child("apiVersion"), apiVersion, "unexpected GroupVersion string: "+apiVersion))
	}
	switch kind, _ := m["kind"].(string); {
	case kind == "":
		errs = append(errs, field.Required(at.Child("kind"), "must not be empty"))
	case strings.ToUpper(kind[:1]) != kind[:1]:
		errs = append(errs, field.Invalid(at.Child("kind"), kind, "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"))
	}
	meta, _ := m["metadata"].(map[string]any)
	at = at.Child("metadata")
	for _, f := range []string{"name", "generateName"} {
		if text, _ := meta[f].(string); text != "" {
			for _, msg := range validation.NameIsDNSSubdomain(text, f == "generateName") {
				errs = append(errs, field.Invalid(at.Child(f), text, msg))
			}
		}
	}
	return errs
}

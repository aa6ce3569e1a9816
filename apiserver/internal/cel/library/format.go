package library

import (
	"net/url"
	"slices"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
)

// FormatType is the type of named formats of strings.
var FormatType = celgo.ObjectType("kubernetes.NamedFormat")

// format checks strings; cost is the length of a regular expression that would.
type format struct {
	name  string
	check func(string) []string
	cost  int
}

var formats = &class[*format]{typ: FormatType, equal: func(a, b *format) bool { return a.name == b.name }}

// Lengths of the regular expressions that Kubernetes reckons with.
const (
	uriCost    = 1103
	base64Cost = 84
)

// named are the formats by name.
var named = map[string]*format{
	"dns1123Label":           {"DNS1123Label", complete(apivalidation.NameIsDNSLabel), 30},
	"dns1123Subdomain":       {"DNS1123Subdomain", complete(apivalidation.NameIsDNSSubdomain), 60},
	"dns1035Label":           {"DNS1035Label", complete(apivalidation.NameIsDNS1035Label), 30},
	"qualifiedName":          {"QualifiedName", func(s string) []string { return validation.IsQualifiedName(s) }, 60},
	"dns1123LabelPrefix":     {"DNS1123LabelPrefix", prefix(apivalidation.NameIsDNSLabel), 30},
	"dns1123SubdomainPrefix": {"DNS1123SubdomainPrefix", prefix(apivalidation.NameIsDNSSubdomain), 60},
	"dns1035LabelPrefix":     {"DNS1035LabelPrefix", prefix(apivalidation.NameIsDNS1035Label), 30},
	"labelValue":             {"LabelValue", func(s string) []string { return validation.IsValidLabelValue(s) }, 40},
	"uri":                    {"URI", checkURI, uriCost},
	"uuid":                   {"uuid", openapi("uuid", "does not match the UUID format"), len(strfmt.UUIDPattern)},
	"byte":                   {"byte", openapi("byte", "invalid base64"), base64Cost},
	"date":                   {"date", openapi("date", "invalid date"), len(strfmt.DateTimePattern)},
	"datetime":               {"datetime", openapi("datetime", "invalid datetime"), len(strfmt.DateTimePattern)},
}

func complete(f apivalidation.ValidateNameFunc) func(string) []string {
	return func(s string) []string { return f(s, false) }
}

func prefix(f apivalidation.ValidateNameFunc) func(string) []string {
	return func(s string) []string { return f(s, true) }
}

func openapi(name, problem string) func(string) []string {
	return func(s string) []string {
		if strfmt.Default.Validates(name, s) {
			return nil
		}
		return []string{problem}
	}
}

func checkURI(s string) []string {
	if _, err := url.ParseRequestURI(s); err != nil {
		return []string{err.Error()}
	}
	return nil
}

func formatFunctions() functions {
	out := functions{
		"validate": {member("format-validate", args(FormatType, celgo.StringType), celgo.OptionalType(celgo.ListType(celgo.StringType)),
			binary(func(f *format, s string) ref.Val {
				problems := f.check(s)
				if len(problems) == 0 {
					return types.OptionalNone
				}
				return types.OptionalOf(types.NewStringList(types.DefaultTypeAdapter, slices.Clone(problems)))
			}))},
		"format.named": {global("format-named", args(celgo.StringType), celgo.OptionalType(FormatType), unary(func(name string) ref.Val {
			if f, ok := named[name]; ok {
				return types.OptionalOf(formats.wrap(f))
			}
			return types.OptionalNone
		}))},
	}
	for name, f := range named {
		name = "format." + name
		out[name] = []celgo.FunctionOpt{global(name, nil, FormatType, nullary(formats.wrap(f)))}
	}
	return out
}

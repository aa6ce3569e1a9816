package definition

import (
	"fmt"
	"maps"
	"slices"

	"github.com/keelson/keelson/apiserver/internal/customresource/validate"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

// Warnings returns what is allowed in a definition and has no effect, where old, which may be nil, does not have it as well.
func Warnings(crd, old *apiextensionsv1.CustomResourceDefinition) []string {
	was := doubts(old)
	return slices.DeleteFunc(doubts(crd), func(s string) bool { return slices.Contains(was, s) })
}

// doubts returns warnings about formats in the order of the schemas, then those about lists.
func doubts(crd *apiextensionsv1.CustomResourceDefinition) []string {
	var formats, sets []string
	for _, v := range crd.GetSpec().GetVersions() {
		walk(v.GetSchema().GetOpenAPIV3Schema(), func(p *props) {
			if p.GetFormat() != "" && !validate.KnownFormat(p.GetType(), p.GetFormat()) {
				formats = append(formats, fmt.Sprintf("unrecognized format %q", p.GetFormat()))
			}
			items := p.GetItems().GetSchema().GetType()
			if p.GetXKubernetesListType() == "set" && (items == "object" || items == "array") {
				sets = append(sets, fmt.Sprintf("x-kubernetes-list-type: set for items of type %q is not supported by server-side apply or CEL validation rules", items))
			}
		})
	}
	slices.Sort(sets)
	return append(formats, slices.Compact(sets)...)
}

// walk calls f with a schema and all inside it.
func walk(p *props, f func(*props)) {
	if p == nil {
		return
	}
	f(p)
	walk(p.GetItems().GetSchema(), f)
	walk(p.GetAdditionalProperties().GetSchema(), f)
	for _, name := range slices.Sorted(maps.Keys(p.GetProperties())) {
		walk(p.GetProperties()[name], f)
	}
	for _, list := range [][]*props{p.GetAllOf(), p.GetAnyOf(), p.GetOneOf()} {
		for _, sub := range list {
			walk(sub, f)
		}
	}
	walk(p.GetNot(), f)
}

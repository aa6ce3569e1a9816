package definition

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// lists checks how server-side apply is told to merge lists and maps.
func (c *checker) lists(p *props, at *field.Path) {
	if p.XKubernetesMapType != nil {
		c.typed(p, at, "object", "must be object if x-kubernetes-map-type is specified")
		if t := p.GetXKubernetesMapType(); t != "atomic" && t != "granular" {
			c.errs = append(c.errs, field.NotSupported(at.Child("x-kubernetes-map-type"), t, []string{"atomic", "granular"}))
		}
	}
	keys, items := p.GetXKubernetesListMapKeys(), p.GetItems().GetSchema()
	if p.XKubernetesListType == nil {
		if len(keys) > 0 {
			c.required(at.Child("x-kubernetes-list-type"), "must be map if x-kubernetes-list-map-keys is non-empty")
		}
		return
	}
	listType := p.GetXKubernetesListType()
	c.typed(p, at, "array", "must be array if x-kubernetes-list-type is specified")
	switch listType {
	case "atomic":
	case "set":
		c.set(items, at.Child("items"))
	case "map":
		c.mapList(p, at)
	default:
		c.errs = append(c.errs, field.NotSupported(at.Child("x-kubernetes-list-type"), listType, []string{"atomic", "set", "map"}))
	}
	if len(keys) > 0 && listType != "map" {
		c.invalid(at.Child("x-kubernetes-list-type"), listType, "must be map if x-kubernetes-list-map-keys is non-empty")
	}
	if items.GetNullable() && (listType == "set" || listType == "map") {
		c.forbidden(at.Child("items").Child("nullable"), "cannot be nullable when x-kubernetes-list-type is "+listType)
	}
}

func (c *checker) typed(p *props, at *field.Path, want, text string) {
	switch p.GetType() {
	case want:
	case "":
		c.required(at.Child("type"), text)
	default:
		c.invalid(at.Child("type"), p.GetType(), text)
	}
}

// set wants items that are compared as a whole.
func (c *checker) set(items *props, at *field.Path) {
	const text = "must be atomic as item of a list with x-kubernetes-list-type=set"
	switch items.GetType() {
	case "array":
		if items.XKubernetesListType != nil && items.GetXKubernetesListType() != "atomic" {
			c.invalid(at.Child("x-kubernetes-list-type"), items.GetXKubernetesListType(), text)
		}
	case "object":
		if items.GetXKubernetesMapType() != "atomic" {
			c.invalid(at.Child("x-kubernetes-map-type"), items.XKubernetesMapType, text)
		}
	}
}

// mapList wants items with keys that are always there.
func (c *checker) mapList(p *props, at *field.Path) {
	keys, items := p.GetXKubernetesListMapKeys(), p.GetItems().GetSchema()
	if len(keys) == 0 {
		c.required(at.Child("x-kubernetes-list-map-keys"), "must not be empty if x-kubernetes-list-type is map")
	}
	if items == nil {
		c.required(at.Child("items"), "must have a schema if x-kubernetes-list-type is map")
		return
	}
	if items.GetType() != "object" {
		c.invalid(at.Child("items").Child("type"), items.GetType(), "must be object if parent array's x-kubernetes-list-type is map")
		return
	}
	for i, k := range keys {
		if slices.Contains(keys[:i], k) {
			c.invalid(at.Child("x-kubernetes-list-map-keys"), keys, "must not contain duplicate entries")
		}
		sub := items.GetProperties()[k]
		if sub == nil {
			c.invalid(at.Child("x-kubernetes-list-map-keys"), keys, "entries must all be names of item properties")
			continue
		}
		at := at.Child("items").Child("properties").Key(k)
		if t := sub.GetType(); t == "array" || t == "object" {
			c.invalid(at.Child("type"), items.GetType(), "must be a scalar type if parent array's x-kubernetes-list-type is map")
		}
		if !slices.Contains(items.GetRequired(), k) && sub.Default == nil {
			c.required(at.Child("default"), "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property")
		}
		if sub.GetNullable() {
			c.forbidden(at.Child("nullable"), "this property is in x-kubernetes-list-map-keys, so it cannot be nullable")
		}
	}
}

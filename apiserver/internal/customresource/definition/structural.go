package definition

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/apiserver/internal/customresource/rules"
	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
	"github.com/keelson/keelson/apiserver/internal/customresource/validate"
)

// level is where a schema stands.
type level int

const (
	rootLevel level = iota
	itemLevel
	fieldLevel
)

// structural checks that every value has one place where its type is said.
func (c *checker) structural(p *props, l level, at *field.Path) {
	if p == nil {
		return
	}
	items := p.GetItems().GetSchema()
	if p.GetType() == "array" && items == nil {
		c.required(at.Child("items"), "must be specified")
	}
	c.structural(items, itemLevel, at.Child("items"))
	for _, name := range slices.Sorted(maps.Keys(p.GetProperties())) {
		c.structural(p.GetProperties()[name], fieldLevel, at.Child("properties").Key(name))
	}
	if a := p.GetAdditionalProperties(); a != nil {
		if l == rootLevel {
			c.forbidden(at.Child("additionalProperties"), "must not be used at the root")
		}
		if p.GetXKubernetesEmbeddedResource() {
			c.forbidden(at.Child("additionalProperties"), "must not be used if x-kubernetes-embedded-resource is set")
		}
		c.structural(a.GetSchema(), fieldLevel, at.Child("additionalProperties"))
	}
	if p.GetXKubernetesIntOrString() {
		if p.GetXKubernetesPreserveUnknownFields() {
			c.invalid(at.Child("x-kubernetes-preserve-unknown-fields"), true, "must be false if x-kubernetes-int-or-string is true")
		}
		if p.GetXKubernetesEmbeddedResource() {
			c.invalid(at.Child("x-kubernetes-embedded-resource"), true, "must be false if x-kubernetes-int-or-string is true")
		}
	}
	c.junctions(p, at, isIntOrString(p.GetAnyOf()), len(p.GetAllOf()) > 0 && isIntOrString(p.GetAllOf()[0].GetAnyOf()))
	c.typeAt(p, l, at)
	c.metadata(p, l, at)
}

func (c *checker) typeAt(p *props, l level, at *field.Path) {
	switch t := p.GetType(); {
	case p.GetXKubernetesEmbeddedResource() && t == "":
		c.required(at.Child("type"), "must be object if x-kubernetes-embedded-resource is true")
	case p.GetXKubernetesEmbeddedResource() && t != "object":
		c.invalid(at.Child("type"), t, "must be object if x-kubernetes-embedded-resource is true")
	case t == "" && !p.GetXKubernetesIntOrString() && !p.GetXKubernetesPreserveUnknownFields():
		c.required(at.Child("type"), [...]string{"must not be empty at the root", "must not be empty for specified array items", "must not be empty for specified object fields"}[l])
	}
	if t := p.GetType(); l == rootLevel && t != "" && t != "object" {
		c.invalid(at.Child("type"), t, "must be object at the root")
	}
}

// metadata checks what is said of an object's own fields, which every kind has.
func (c *checker) metadata(p *props, l level, at *field.Path) {
	if l != rootLevel && !p.GetXKubernetesEmbeddedResource() {
		return
	}
	at = at.Child("properties")
	for _, name := range []string{"kind", "apiVersion"} {
		if sub := p.GetProperties()[name]; sub != nil && sub.GetType() != "string" {
			c.invalid(at.Key(name).Child("type"), sub.GetType(), "must be string")
		}
	}
	if meta := p.GetProperties()["metadata"]; meta != nil {
		if meta.GetType() != "object" {
			c.invalid(at.Key("metadata").Child("type"), meta.GetType(), "must be object")
		}
		if l == rootLevel {
			for name := range meta.GetProperties() {
				if name != "name" && name != "generateName" {
					c.forbidden(at.Key("metadata"), "must not specify anything other than name and generateName, but metadata is implicitly specified")
					break
				}
			}
		}
	}
	if p.GetXKubernetesEmbeddedResource() && !p.GetXKubernetesPreserveUnknownFields() && len(p.GetProperties()) == 0 {
		c.required(at, "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields")
	}
}

// isIntOrString recognises the one use of types in a junction that is allowed.
func isIntOrString(list []*props) bool {
	return len(list) == 2 && list[0].GetType() == "integer" && list[1].GetType() == "string"
}

// junctions checks the schemas under allOf, anyOf, oneOf and not: they speak of values only.
func (c *checker) junctions(p *props, at *field.Path, skipAny, skipFirst bool) {
	if !skipAny {
		for i, sub := range p.GetAnyOf() {
			c.nested(sub, at.Child("anyOf").Index(i), false)
		}
	}
	for i, sub := range p.GetAllOf() {
		c.nested(sub, at.Child("allOf").Index(i), skipFirst && i == 0)
	}
	for i, sub := range p.GetOneOf() {
		c.nested(sub, at.Child("oneOf").Index(i), false)
	}
	if p.GetNot() != nil {
		c.nested(p.GetNot(), at.Child("not"), false)
	}
}

func (c *checker) nested(p *props, at *field.Path, skipAny bool) {
	if p == nil {
		return
	}
	c.junctions(p, at, skipAny, false)
	c.nested(p.GetItems().GetSchema(), at.Child("items"), false)
	for _, name := range slices.Sorted(maps.Keys(p.GetProperties())) {
		c.nested(p.GetProperties()[name], at.Child("properties").Key(name), false)
	}
	for _, f := range []struct {
		set        bool
		name, text string
	}{
		{p.GetType() != "", "type", "must be empty to be structural"},
		{p.GetAdditionalProperties() != nil, "additionalProperties", "must be undefined to be structural"},
		{p.Default != nil, "default", "must be undefined to be structural"},
		{p.GetTitle() != "", "title", "must be empty to be structural"},
		{p.GetDescription() != "", "description", "must be empty to be structural"},
		{p.GetNullable(), "nullable", "must be false to be structural"},
		{p.GetXKubernetesPreserveUnknownFields(), "x-kubernetes-preserve-unknown-fields", "must be false to be structural"},
		{p.GetXKubernetesEmbeddedResource(), "x-kubernetes-embedded-resource", "must be false to be structural"},
		{p.GetXKubernetesIntOrString(), "x-kubernetes-int-or-string", "must be false to be structural"},
		{len(p.GetXKubernetesListMapKeys()) > 0, "x-kubernetes-list-map-keys", "must be empty to be structural"},
		{p.XKubernetesListType != nil, "x-kubernetes-list-type", "must be undefined to be structural"},
		{p.XKubernetesMapType != nil, "x-kubernetes-map-type", "must be undefined to be structural"},
		{len(p.GetXKubernetesValidations()) > 0, "x-kubernetes-validations", "must be empty to be structural"},
	} {
		if f.set {
			c.forbidden(at.Child(f.name), f.text)
		}
	}
	if p.GetProperties()["metadata"] != nil {
		c.forbidden(at.Child("properties").Key("metadata"), "must not be specified in a nested context")
	}
}

// complete checks that what the schemas of a junction speak of is said outside of it, too.
func (c *checker) complete(p, s *props, at, vat *field.Path) {
	if p == nil {
		return
	}
	if s == nil {
		c.required(at, "because it is defined in "+vat.String())
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.GetProperties())) {
		sub := s.GetProperties()[name]
		if sub == nil {
			c.required(at.Child("properties").Key(name), fmt.Sprintf("because it is defined in %s", vat.Child("properties").Key(name)))
			continue
		}
		c.complete(p.GetProperties()[name], sub, at.Child("properties").Key(name), vat.Child("properties").Key(name))
	}
	if items := p.GetItems().GetSchema(); items != nil {
		c.complete(items, s.GetItems().GetSchema(), at.Child("items"), vat.Child("items"))
	}
	if p == s && p.GetAdditionalProperties().GetSchema() != nil {
		sub := p.GetAdditionalProperties().GetSchema()
		c.complete(sub, sub, at.Child("additionalProperties"), vat.Child("additionalProperties"))
	}
	for i, sub := range p.GetAllOf() {
		c.complete(sub, s, at, vat.Child("allOf").Index(i))
	}
	for i, sub := range p.GetAnyOf() {
		c.complete(sub, s, at, vat.Child("anyOf").Index(i))
	}
	for i, sub := range p.GetOneOf() {
		c.complete(sub, s, at, vat.Child("oneOf").Index(i))
	}
	if p.GetNot() != nil {
		c.complete(p.GetNot(), s, at, vat.Child("not"))
	}
}

// checkDefaults wants defaults that are valid themselves.
func checkDefaults(s *structural.Schema, at *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	var errs field.ErrorList
	if s.HasDefault {
		errs = checkDefault(s, at.Child("default"))
	}
	for _, name := range s.Names {
		errs = append(errs, checkDefaults(s.Properties[name], at.Child("properties").Key(name))...)
	}
	errs = append(errs, checkDefaults(s.Items, at.Child("items"))...)
	return append(errs, checkDefaults(s.Additional, at.Child("additionalProperties"))...)
}

func checkDefault(s *structural.Schema, at *field.Path) field.ErrorList {
	value := structural.Copy(s.Default)
	unknown := false
	s.PruneValue(value, func(string) { unknown = true })
	if unknown {
		return field.ErrorList{field.Invalid(at, s.Default, "must not have unknown fields")}
	}
	s.DefaultValue(value)
	set, problems := rules.Compile(s, at)
	if len(problems) > 0 {
		set = nil // said where the rule stands
	}
	return validate.Value(s, set, value, at)
}

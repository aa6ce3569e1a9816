package definition

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/apiserver/internal/customresource/rules"
	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

type props = apiextensionsv1.JSONSchemaProps

var types = []string{"array", "boolean", "integer", "number", "object", "string"}

// checkSchema looks at the schema of a version. What it says about values is compiled only where it is sound otherwise.
func checkSchema(p *props, s *structural.Schema, status bool, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if status {
		errs = checkRootWithStatus(p, at)
	}
	if p.GetNullable() {
		errs = append(errs, field.Forbidden(at.Child("nullable"), "nullable cannot be true at the root"))
	}
	c := checker{}
	c.structural(p, rootLevel, at)
	c.complete(p, p, at, at)
	sound := len(c.errs) == 0
	if sound {
		errs = append(errs, checkDefaults(s, at)...)
	} else {
		errs = append(errs, sorted(c.errs)...)
	}
	c = checker{}
	c.openapi(p, at, place{root: true, defaults: ""})
	errs = append(errs, sorted(c.errs)...)
	if len(errs) > 0 {
		return errs
	}
	_, problems := rules.Compile(s, at)
	return problems
}

func sorted(errs field.ErrorList) field.ErrorList {
	slices.SortStableFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Error(), b.Error()) })
	return slices.CompactFunc(errs, func(a, b *field.Error) bool { return a.Error() == b.Error() })
}

// checkRootWithStatus allows at the root only what means the same where the status is looked at by itself.
func checkRootWithStatus(p *props, at *field.Path) field.ErrorList {
	if p.GetType() != "object" {
		return field.ErrorList{field.Invalid(at.Child("type"), p.GetType(), `only "object" is allowed as the type at the root of the schema if the status subresource is enabled`)}
	}
	if len(p.GetAllOf())+len(p.GetAnyOf())+len(p.GetOneOf())+len(p.GetEnum()) > 0 || p.GetNot() != nil || p.GetAdditionalProperties() != nil || p.Default != nil ||
		p.MaxProperties != nil || p.MinProperties != nil || p.GetNullable() {
		return field.ErrorList{field.Invalid(at, p.GetType(), "only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems "+
			"UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations] fields are allowed at the root of the schema if the status subresource is enabled")}
	}
	return nil
}

type checker struct{ errs field.ErrorList }

func (c *checker) required(at *field.Path, text string) {
	c.errs = append(c.errs, field.Required(at, text))
}
func (c *checker) forbidden(at *field.Path, text string) {
	c.errs = append(c.errs, field.Forbidden(at, text))
}
func (c *checker) invalid(at *field.Path, v any, text string) {
	c.errs = append(c.errs, field.Invalid(at, v, text))
}

// place is what the place of a schema forbids.
type place struct {
	root bool
	// defaults says why there must be no defaults here; empty where they are allowed.
	defaults string
	// meta tells that the place is inside of an object's apiVersion, kind or metadata.
	meta bool
}

// openapi checks what is said of each schema, wherever it stands.
func (c *checker) openapi(p *props, at *field.Path, in place) {
	if p == nil {
		return
	}
	c.unsupported(p, at, in)
	below := place{defaults: in.defaults, meta: in.meta}
	if a := p.GetAdditionalProperties(); a != nil {
		if len(p.GetProperties()) > 0 && (!a.GetAllows() || a.GetSchema() != nil) {
			c.forbidden(at.Child("additionalProperties"), "additionalProperties and properties are mutual exclusive")
		}
		inside := below
		if in.meta {
			inside.defaults = "inside additionalProperties applying to object metadata"
		}
		c.openapi(a.GetSchema(), at.Child("additionalProperties"), inside)
	}
	for _, name := range slices.Sorted(maps.Keys(p.GetProperties())) {
		inside := below
		if (in.root || p.GetXKubernetesEmbeddedResource()) && (name == "metadata" || name == "kind" || name == "apiVersion") {
			inside.meta = true
			if in.root {
				inside.defaults = "in top-level " + name
			}
		}
		c.openapi(p.GetProperties()[name], at.Child("properties").Key(name), inside)
	}
	c.openapi(p.GetNot(), at.Child("not"), below)
	for i, sub := range p.GetAllOf() {
		c.openapi(sub, at.Child("allOf").Index(i), below)
	}
	for i, sub := range p.GetOneOf() {
		c.openapi(sub, at.Child("oneOf").Index(i), below)
	}
	for i, sub := range p.GetAnyOf() {
		c.openapi(sub, at.Child("anyOf").Index(i), below)
	}
	c.openapi(p.GetItems().GetSchema(), at.Child("items"), below)
	c.lists(p, at)
	c.rules(p, at)
}

// unsupported finds what JSON schemas may have and these may not.
func (c *checker) unsupported(p *props, at *field.Path, in place) {
	if t := p.GetType(); t != "" && !slices.Contains(types, t) {
		c.errs = append(c.errs, field.NotSupported(at.Child("type"), t, types))
	}
	if p.Default != nil && in.defaults != "" {
		c.forbidden(at.Child("default"), "must not be set "+in.defaults)
	}
	for _, f := range []struct {
		set  bool
		name string
	}{
		{p.GetId() != "", "id"}, {p.GetAdditionalItems() != nil, "additionalItems"}, {len(p.GetPatternProperties()) > 0, "patternProperties"},
		{len(p.GetDefinitions()) > 0, "definitions"}, {len(p.GetDependencies()) > 0, "dependencies"}, {p.Ref != nil, "$ref"},
	} {
		if f.set {
			c.forbidden(at.Child(f.name), f.name+" is not supported")
		}
	}
	if p.GetType() == "null" {
		c.forbidden(at.Child("type"), "type cannot be set to null, use nullable as an alternative")
	}
	if len(p.GetItems().GetJSONSchemas()) > 0 {
		c.forbidden(at.Child("items"), "items must be a schema object and not an array")
	}
	if in.meta && p.GetXKubernetesEmbeddedResource() {
		c.forbidden(at.Child("x-kubernetes-embedded-resource"), "must not be used inside of resource meta")
	}
	if p.GetUniqueItems() {
		c.forbidden(at.Child("uniqueItems"), "uniqueItems cannot be set to true since the runtime complexity becomes quadratic")
	}
	if p.XKubernetesPreserveUnknownFields != nil && !p.GetXKubernetesPreserveUnknownFields() {
		c.invalid(at.Child("x-kubernetes-preserve-unknown-fields"), false, "must be true or undefined")
	}
}

// rules checks the parts of CEL rules that need no compiling.
func (c *checker) rules(p *props, at *field.Path) {
	for i, r := range p.GetXKubernetesValidations() {
		at := at.Child("x-kubernetes-validations").Index(i)
		rule, message := strings.TrimSpace(r.GetRule()), strings.TrimSpace(r.GetMessage())
		switch {
		case rule == "":
			c.required(at.Child("rule"), "rule is not specified")
		case r.GetMessage() != "" && message == "":
			c.invalid(at.Child("message"), r.GetMessage(), "must be non-empty if specified")
		case strings.ContainsAny(message, "\n\r"):
			c.invalid(at.Child("message"), r.GetMessage(), "must not contain line breaks")
		case strings.ContainsAny(rule, "\n\r") && message == "":
			c.required(at.Child("message"), "message must be specified if rule contains line breaks")
		}
		if r.GetMessageExpression() != "" && strings.TrimSpace(r.GetMessageExpression()) == "" {
			c.required(at.Child("messageExpression"), "messageExpression must be non-empty if specified")
		}
		reasons := []string{"FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"}
		if r.Reason != nil && !slices.Contains(reasons, r.GetReason()) {
			c.errs = append(c.errs, field.NotSupported(at.Child("reason"), r.GetReason(), reasons))
		}
		if path := r.GetFieldPath(); path != "" {
			if strings.TrimSpace(path) == "" {
				c.invalid(at.Child("fieldPath"), path, "must be non-empty if specified")
			}
			if strings.ContainsAny(path, "\n\r") {
				c.invalid(at.Child("fieldPath"), path, "must not contain line breaks")
			}
			if _, _, err := rules.ParsePath(path, structural.New(p), true); err != nil {
				c.invalid(at.Child("fieldPath"), path, "must be a valid path")
			}
		}
	}
	if pattern := p.GetPattern(); pattern != "" {
		if _, err := regexp.Compile(pattern); err != nil {
			c.invalid(at.Child("pattern"), pattern, fmt.Sprintf("must be a valid regular expression, but isn't: %v", err))
		}
	}
}

// Package behaviour makes the kinds of a CustomResourceDefinition: one for each of its versions, with everything that the
// pipeline asks of a kind.
package behaviour

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/apiserver/internal/customresource/columns"
	"github.com/keelson/keelson/apiserver/internal/customresource/convert"
	"github.com/keelson/keelson/apiserver/internal/customresource/publish"
	"github.com/keelson/keelson/apiserver/internal/customresource/rules"
	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
	"github.com/keelson/keelson/apiserver/internal/customresource/validate"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	"github.com/keelson/keelson/proto/schema"
)

// version implements schema.Custom.
type version struct {
	root      *structural.Schema
	props     *apiextensionsv1.JSONSchemaProps
	validator *validate.Validator
	columns   *columns.Columns
	apply     typed.ParseableType
}

// Kinds returns the kinds of a definition under the names that it has been granted. terminating tells that it is about to
// go.
func Kinds(crd *apiextensionsv1.CustomResourceDefinition, names *apiextensionsv1.CustomResourceDefinitionNames, terminating bool, caller convert.Caller) []*schema.Kind {
	spec := crd.GetSpec()
	storage := ""
	for _, v := range spec.GetVersions() {
		if v.GetStorage() {
			storage = spec.GetGroup() + "/" + v.GetName()
		}
	}
	var converter schema.Converter
	if w := convert.New(spec.GetConversion(), caller); w != nil {
		converter = w
	}
	out := make([]*schema.Kind, 0, len(spec.GetVersions()))
	for _, v := range spec.GetVersions() {
		k := schema.Kind{
			Group: spec.GetGroup(), Version: v.GetName(), Kind: names.GetKind(), ListKind: names.GetListKind(), Plural: names.GetPlural(),
			Singular: names.GetSingular(), ShortNames: names.GetShortNames(), Categories: names.GetCategories(),
			Namespaced: spec.GetScope() == "Namespaced", Served: v.GetServed(), StorageVersion: storage,
			StoragePath: spec.GetGroup() + "/" + names.GetPlural(), Converter: converter, Terminating: terminating,
			Deprecation: deprecation(spec, names, v),
		}
		subresources(&k, v.GetSubresources())
		b := &version{props: v.GetSchema().GetOpenAPIV3Schema(), columns: columns.New(v.GetAdditionalPrinterColumns())}
		b.root = structural.New(b.props)
		set, _ := rules.Compile(b.root, field.NewPath("spec")) // what does not compile was refused with the definition
		b.validator = validate.New(b.root, set, k.Scale)
		b.apply = b.root.ApplyType()
		k.Columns, k.Custom = b.columns.Definitions(), b
		for _, f := range v.GetSelectableFields() {
			k.SelectableFields = append(k.SelectableFields, strings.TrimPrefix(f.GetJsonPath(), "."))
		}
		out = append(out, schema.NewCustom(k))
	}
	return out
}

func deprecation(spec *apiextensionsv1.CustomResourceDefinitionSpec, names *apiextensionsv1.CustomResourceDefinitionNames, v *apiextensionsv1.CustomResourceDefinitionVersion) string {
	switch {
	case !v.GetDeprecated():
		return ""
	case v.DeprecationWarning != nil:
		return v.GetDeprecationWarning()
	}
	for _, other := range spec.GetVersions() {
		// The newest stable version that is at least as good is what to use instead.
		if other.GetServed() && !other.GetDeprecated() && schema.CompareVersions(other.GetName(), v.GetName()) < 0 {
			return spec.GetGroup() + "/" + v.GetName() + " " + names.GetKind() + " is deprecated; use " + spec.GetGroup() + "/" + best(spec) + " " + names.GetKind()
		}
	}
	return spec.GetGroup() + "/" + v.GetName() + " " + names.GetKind() + " is deprecated"
}

// best is the best served version that is not deprecated.
func best(spec *apiextensionsv1.CustomResourceDefinitionSpec) string {
	out := ""
	for _, v := range spec.GetVersions() {
		if v.GetServed() && !v.GetDeprecated() && (out == "" || schema.CompareVersions(v.GetName(), out) < 0) {
			out = v.GetName()
		}
	}
	return out
}

var statusVerbs = []string{"get", "patch", "update"}

func subresources(k *schema.Kind, s *apiextensionsv1.CustomResourceSubresources) {
	if s.GetStatus() != nil {
		k.Subresources = append(k.Subresources, schema.Subresource{Name: "status", Group: k.Group, Version: k.Version, Kind: k.Kind, Verbs: statusVerbs})
	}
	if scale := s.GetScale(); scale != nil {
		k.Subresources = append(k.Subresources, schema.Subresource{Name: "scale", Group: "autoscaling", Version: "v1", Kind: "Scale", Verbs: statusVerbs})
		k.Scale = &schema.Scale{Spec: split(scale.GetSpecReplicasPath()), Status: split(scale.GetStatusReplicasPath()), Selector: split(scale.GetLabelSelectorPath())}
	}
}

func split(path string) []string {
	if path = strings.TrimPrefix(path, "."); path == "" {
		return nil
	}
	return strings.Split(path, ".")
}

// Prune implements schema.Custom.
func (v *version) Prune(body map[string]any, dropped func(path string)) { v.root.Prune(body, dropped) }

// Default implements schema.Custom.
func (v *version) Default(body map[string]any) { v.root.SetDefaults(body) }

// Validate implements schema.Custom.
func (v *version) Validate(obj, old map[string]any, status bool) schema.ErrorList {
	return v.validator.Validate(obj, old, status)
}

// Field implements schema.Custom.
func (v *version) Field(body map[string]any, path string) string {
	value, ok := schema.Walk(body, strings.Split(path, "."))
	if !ok || value == nil {
		return ""
	}
	return columns.Text(value)
}

// Cells implements schema.Custom.
func (v *version) Cells(obj map[string]any, now time.Time) []any { return v.columns.Cells(obj, now) }

// ApplyType implements schema.Custom.
func (v *version) ApplyType() typed.ParseableType { return v.apply }

// OpenAPI implements schema.Custom.
func (v *version) OpenAPI(v3 bool) map[string]any { return publish.Schema(v.props, v3) }

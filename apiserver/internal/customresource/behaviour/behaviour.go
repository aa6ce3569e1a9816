// Package behaviour makes the kinds of a CustomResourceDefinition: one for each of its versions, with everything that the
// pipeline asks of a kind.
package behaviour

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/apiserver/internal/cel"
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

// Definition is what was made of a CustomResourceDefinition.
type Definition struct {
	// Kinds are its versions, served or not.
	Kinds []*schema.Kind

	crd         *apiextensionsv1.CustomResourceDefinition
	names       *apiextensionsv1.CustomResourceDefinitionNames
	terminating bool
	converter   schema.Converter
	versions    map[string]*made
}

// made is a version as it was made, with what it was made of.
type made struct {
	source    *apiextensionsv1.CustomResourceDefinitionVersion
	scale     *schema.Scale
	behaviour *version
}

// Make makes the kinds of a definition under the names that it has been granted. terminating tells that it is about to go.
// What has not changed since old, which may be nil, is the same as there: schemas take their time to compile, and a kind
// that changes ends its watches.
func Make(old *Definition, crd *apiextensionsv1.CustomResourceDefinition, names *apiextensionsv1.CustomResourceDefinitionNames, terminating bool, caller convert.Caller) *Definition {
	if old != nil && old.terminating == terminating && proto.Equal(old.names, names) && sameSpec(old.crd, crd) {
		return old
	}
	d := &Definition{crd: crd, names: names, terminating: terminating, versions: map[string]*made{}}
	spec := crd.GetSpec()
	if old != nil && proto.Equal(old.crd.GetSpec().GetConversion(), spec.GetConversion()) {
		d.converter = old.converter
	} else if w := convert.New(spec.GetConversion(), caller); w != nil {
		d.converter = w
	}
	storage := ""
	for _, v := range spec.GetVersions() {
		if v.GetStorage() {
			storage = spec.GetGroup() + "/" + v.GetName()
		}
	}
	for _, v := range spec.GetVersions() {
		var before *made
		if old != nil {
			before = old.versions[v.GetName()]
		}
		m := makeVersion(before, v)
		d.versions[v.GetName()] = m
		k := schema.Kind{
			Group: spec.GetGroup(), Version: v.GetName(), Kind: names.GetKind(), ListKind: names.GetListKind(), Plural: names.GetPlural(),
			Singular: names.GetSingular(), ShortNames: names.GetShortNames(), Categories: names.GetCategories(),
			Namespaced: spec.GetScope() == "Namespaced", Served: v.GetServed(), StorageVersion: storage,
			StoragePath: spec.GetGroup() + "/" + names.GetPlural(), Converter: d.converter, Terminating: terminating,
			Deprecation: deprecation(spec, names, v), Scale: m.scale, Columns: m.behaviour.columns.Definitions(), Custom: m.behaviour,
		}
		subresources(&k, v.GetSubresources())
		for _, f := range v.GetSelectableFields() {
			k.SelectableFields = append(k.SelectableFields, strings.TrimPrefix(f.GetJsonPath(), "."))
		}
		d.Kinds = append(d.Kinds, schema.NewCustom(k))
	}
	serveOne(d.Kinds, terminating)
	return d
}

// sameSpec tells whether two states of a definition differ in their status at most. Comparing specifications takes long
// where there are many; generations tell mostly.
func sameSpec(a, b *apiextensionsv1.CustomResourceDefinition) bool {
	if a == b {
		return true
	}
	x, y := a.GetMetadata(), b.GetMetadata()
	return x.GetUid() == y.GetUid() && x.GetGeneration() == y.GetGeneration() && x.GetGeneration() > 0 || proto.Equal(a.GetSpec(), b.GetSpec())
}

// serveOne serves a kind that is about to go in one version at least: its objects could not be deleted otherwise.
func serveOne(kinds []*schema.Kind, terminating bool) {
	for _, k := range kinds {
		if k.Served {
			return
		}
	}
	if terminating && len(kinds) > 0 {
		kinds[0].Served = true
	}
}

func makeVersion(old *made, v *apiextensionsv1.CustomResourceDefinitionVersion) *made {
	if old != nil && proto.Equal(old.source, v) {
		return old
	}
	m := &made{source: v}
	if s := v.GetSubresources().GetScale(); s != nil {
		m.scale = &schema.Scale{Spec: split(s.GetSpecReplicasPath()), Status: split(s.GetStatusReplicasPath()), Selector: split(s.GetLabelSelectorPath())}
	}
	b := &version{props: v.GetSchema().GetOpenAPIV3Schema(), columns: columns.New(v.GetAdditionalPrinterColumns())}
	b.root = structural.New(b.props)
	set, _ := rules.Compile(b.root, field.NewPath("spec")) // what does not compile was refused with the definition
	b.validator = validate.New(b.root, set, m.scale)
	b.apply = b.root.ApplyType()
	m.behaviour = b
	return m
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
	if s.GetScale() != nil {
		k.Subresources = append(k.Subresources, schema.Subresource{Name: "scale", Group: "autoscaling", Version: "v1", Kind: "Scale", Verbs: statusVerbs})
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

// Describe returns what expressions of policies know of the version's objects.
func (v *version) Describe() *cel.Schema { return rules.Describe(v.root) }

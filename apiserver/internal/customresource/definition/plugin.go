// Package definition decides which CustomResourceDefinitions are valid, in Kubernetes' words: their names, versions,
// subresources and columns, whether schemas are structural, and whether what they hold compiles.
package definition

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/proto/apierrors"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	definitions "github.com/keelson/keelson/proto/pipeline/kinds/apiextensions"
	"github.com/keelson/keelson/proto/schema"
)

// Plugin validates definitions on their way into the store.
type Plugin struct{}

// New returns the plugin.
func New() Plugin { return Plugin{} }

// Name implements admission.Plugin.
func (Plugin) Name() string { return "CustomResourceDefinition" }

// Admit implements admission.Plugin.
func (Plugin) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (Plugin) Validate(_ context.Context, r *admission.Request) error {
	crd, ok := r.Object.(*apiextensionsv1.CustomResourceDefinition)
	if !ok {
		return nil
	}
	old, _ := r.Old.(*apiextensionsv1.CustomResourceDefinition)
	var errs field.ErrorList
	if r.Subresource == "status" {
		errs = checkNames(crd.GetStatus().GetAcceptedNames(), field.NewPath("status", "acceptedNames"))
		errs = append(errs, checkStored(crd)...)
	} else {
		errs = Check(crd, old)
		if r.Warn != nil {
			for _, w := range Warnings(crd, old) {
				r.Warn(w)
			}
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(r.Kind.Group, r.Kind.Kind, crd.GetMetadata().GetName(), schema.Causes(errs))
}

// Check returns what is wrong with a definition; old is nil on create.
func Check(crd, old *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	spec := crd.GetSpec()
	var errs field.ErrorList
	if want := spec.GetNames().GetPlural() + "." + spec.GetGroup(); crd.GetMetadata().GetName() != want && crd.GetMetadata().GetName() != "" {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), crd.GetMetadata().GetName(), `must be spec.names.plural+"."+spec.group`))
	}
	// What has not changed was checked before. A definition that is on its way out must always be let go.
	if old != nil && proto.Equal(spec, old.GetSpec()) {
		return append(errs, checkStored(crd)...)
	}
	errs = append(errs, checkSpec(spec, old.GetSpec())...)
	errs = append(errs, checkStored(crd)...)
	errs = append(errs, checkApproval(crd, old)...)
	if old != nil {
		errs = append(errs, checkUpdate(spec, old)...)
	}
	return errs
}

func checkUpdate(spec *apiextensionsv1.CustomResourceDefinitionSpec, old *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	var errs field.ErrorList
	was, at := old.GetSpec(), field.NewPath("spec")
	same := func(now, before string, at *field.Path) {
		if now != before {
			errs = append(errs, field.Invalid(at, now, "field is immutable"))
		}
	}
	if definitions.Condition(old.GetStatus(), "Established").GetStatus() == "True" {
		same(spec.GetScope(), was.GetScope(), at.Child("scope"))
		same(spec.GetNames().GetKind(), was.GetNames().GetKind(), at.Child("names", "kind"))
	}
	same(spec.GetGroup(), was.GetGroup(), at.Child("group"))
	same(spec.GetNames().GetPlural(), was.GetNames().GetPlural(), at.Child("names", "plural"))
	return errs
}

// checkStored looks at the versions in which objects may be stored.
func checkStored(crd *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	stored, at := crd.GetStatus().GetStoredVersions(), field.NewPath("status", "storedVersions")
	if len(stored) == 0 {
		return field.ErrorList{field.Invalid(at, []string(nil), "must have at least one stored version")}
	}
	var errs field.ErrorList
	var known []string
	for _, v := range crd.GetSpec().GetVersions() {
		known = append(known, v.GetName())
		if v.GetStorage() && !slices.Contains(stored, v.GetName()) {
			errs = append(errs, field.Invalid(at, stored, "must have the storage version "+v.GetName()))
		}
	}
	for i, v := range stored {
		if !slices.Contains(known, v) {
			errs = append(errs, field.Invalid(at.Index(i), v, "missing from spec.versions; "+v+" was previously a storage version, and must remain in "+
				"spec.versions until a storage migration ensures no data remains persisted in "+v+" and removes "+v+" from status.storedVersions"))
		}
	}
	return errs
}

package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Paths in metadata, which every write asks for. A path does not change.
var (
	metaPath          = field.NewPath("metadata")
	labelsPath        = metaPath.Child("labels")
	annotationsPath   = metaPath.Child("annotations")
	ownersPath        = metaPath.Child("ownerReferences")
	finalizersPath    = metaPath.Child("finalizers")
	managedFieldsPath = metaPath.Child("managedFields")
)

func validateMeta(m *metav1.ObjectMeta, namespaced bool, nameFormat string) ErrorList {
	at := metaPath
	var errs ErrorList
	if m.GenerateName != "" {
		for _, msg := range format.Name(nameFormat, m.GenerateName, true) {
			errs = append(errs, field.Invalid(at.Child("generateName"), m.GenerateName, msg))
		}
	}
	if m.Name == "" {
		errs = append(errs, field.Required(at.Child("name"), "name or generateName is required"))
	} else {
		for _, msg := range format.Name(nameFormat, m.Name, false) {
			errs = append(errs, field.Invalid(at.Child("name"), m.Name, msg))
		}
	}
	switch {
	case namespaced && m.Namespace == "":
		errs = append(errs, field.Required(at.Child("namespace"), ""))
	case namespaced && !format.IsLabel(m.Namespace):
		for _, msg := range utilvalidation.IsDNS1123Label(m.Namespace) {
			errs = append(errs, field.Invalid(at.Child("namespace"), m.Namespace, msg))
		}
	case !namespaced && m.Namespace != "":
		errs = append(errs, field.Forbidden(at.Child("namespace"), "not allowed on this type"))
	}
	if m.Generation < 0 {
		errs = append(errs, field.Invalid(at.Child("generation"), m.Generation, validation.IsNegativeErrorMsg))
	}
	errs = append(errs, rule.Labels(m.Labels, labelsPath)...)
	errs = append(errs, rule.Annotations(m.Annotations, annotationsPath)...)
	errs = append(errs, validateOwners(m.OwnerReferences, ownersPath)...)
	errs = append(errs, validateFinalizers(m.Finalizers, finalizersPath)...)
	return append(errs, validateManagedFields(m.ManagedFields, managedFieldsPath)...)
}

func validateOwners(refs []*metav1.OwnerReference, at *field.Path) ErrorList {
	var errs ErrorList
	controller := ""
	for i, ref := range refs {
		at := at.Index(i)
		group, version, found := strings.Cut(ref.ApiVersion, "/")
		if !found {
			group, version = "", group
		}
		switch {
		case ref.ApiVersion == "":
			errs = append(errs, field.Required(at.Child("apiVersion"), "must not be empty"))
		case version == "" || strings.Contains(version, "/"):
			errs = append(errs, field.Invalid(at.Child("apiVersion"), ref.ApiVersion, "must be <group>/<version> or <version>"))
		}
		for _, f := range []struct{ name, value string }{{"kind", ref.Kind}, {"name", ref.Name}, {"uid", ref.Uid}} {
			if f.value == "" {
				errs = append(errs, field.Required(at.Child(f.name), "must not be empty"))
			}
		}
		if group == "" && version == "v1" && ref.Kind == "Event" {
			errs = append(errs, field.Invalid(at, rule.Value(ref), "/v1, Kind=Event is disallowed from being an owner"))
		}
		if ref.GetController() {
			name := ref.Kind + "/" + ref.Name
			if controller != "" {
				errs = append(errs, field.Invalid(at, rule.Values(refs), fmt.Sprintf("Only one reference can have Controller set "+
					"to true. Found \"true\" in references for %s and %s", controller, name)))
			} else {
				controller = name
			}
		}
	}
	return errs
}

func validateFinalizers(names []string, at *field.Path) ErrorList {
	var errs ErrorList
	for _, name := range names {
		for _, msg := range utilvalidation.IsQualifiedName(name) {
			errs = append(errs, field.Invalid(at, name, msg))
		}
	}
	const orphan, foreground = "orphan", "foregroundDeletion"
	if slices.Contains(names, orphan) && slices.Contains(names, foreground) {
		errs = append(errs, field.Invalid(at, names, fmt.Sprintf("finalizer %s and %s cannot be both set", orphan, foreground)))
	}
	return errs
}

// plainFinalizers are the groups whose kinds take finalizers without a domain, as custom kinds do.
var plainFinalizers = map[string]bool{"admissionregistration.k8s.io": true, "apiextensions.k8s.io": true, "apiregistration.k8s.io": true}

// qualifiedFinalizers refuses new finalizers that nobody can tell whose they are.
func qualifiedFinalizers(names, was []string, at *field.Path) ErrorList {
	var errs ErrorList
	for i, name := range names {
		switch name {
		case "kubernetes", "orphan", "foregroundDeletion":
		default:
			if !strings.Contains(name, "/") && !slices.Contains(was, name) {
				errs = append(errs, field.Invalid(at.Index(i), name, "name is neither a standard finalizer name nor is it fully qualified"))
			}
		}
	}
	return errs
}

func validateManagedFields(entries []*metav1.ManagedFieldsEntry, at *field.Path) ErrorList {
	var errs ErrorList
	for i, e := range entries {
		switch e.Operation {
		case "Apply", "Update":
		default:
			errs = append(errs, field.Invalid(at.Index(i).Child("operation"), e.Operation, "must be `Apply` or `Update`"))
		}
		if e.FieldsType != "" && e.FieldsType != "FieldsV1" {
			errs = append(errs, field.Invalid(at.Index(i).Child("fieldsType"), e.FieldsType, "must be `FieldsV1`"))
		}
		if found := rule.FieldManager(e.Manager, nil); len(found) > 0 {
			errs = append(errs, rule.FieldManager(e.Manager, at.Index(i).Child("manager"))...)
		}
	}
	return errs
}

// objectMeta is the message of metadata.
const objectMeta protoreflect.FullName = "keelson.meta.v1.ObjectMeta"

func validateMetaUpdate(m, old *metav1.ObjectMeta) ErrorList {
	at := metaPath
	var errs ErrorList
	if old == nil {
		return nil
	}
	if old.DeletionTimestamp != nil {
		had := map[string]bool{}
		for _, f := range old.Finalizers {
			had[f] = true
		}
		extra := map[string]bool{}
		for _, f := range m.Finalizers {
			if !had[f] {
				extra[f] = true
			}
		}
		if len(extra) > 0 {
			errs = append(errs, field.Forbidden(at.Child("finalizers"), fmt.Sprintf("no new finalizers can be added if the object "+
				"is being deleted, found new finalizers %#v", slices.Sorted(maps.Keys(extra)))))
		}
	}
	if m.Generation < old.Generation {
		errs = append(errs, field.Invalid(at.Child("generation"), m.Generation, "must not be decremented"))
	}
	immutable := func(name string, value any, same bool) {
		if !same {
			errs = append(errs, field.Invalid(at.Child(name), value, validation.FieldImmutableErrorMsg))
		}
	}
	immutable("name", m.Name, m.Name == old.Name)
	immutable("namespace", m.Namespace, m.Namespace == old.Namespace)
	immutable("uid", m.Uid, m.Uid == old.Uid)
	immutable("creationTimestamp", rule.Value(m.CreationTimestamp), Equal(m.CreationTimestamp, old.CreationTimestamp))
	immutable("deletionTimestamp", rule.Value(m.DeletionTimestamp), Equal(m.DeletionTimestamp, old.DeletionTimestamp))
	immutable("deletionGracePeriodSeconds", m.GetDeletionGracePeriodSeconds(),
		m.GetDeletionGracePeriodSeconds() == old.GetDeletionGracePeriodSeconds() &&
			(m.DeletionGracePeriodSeconds == nil) == (old.DeletionGracePeriodSeconds == nil))
	return errs
}

package core

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// classAnnotation named a claim's class before there was a field.
const classAnnotation = "volume.beta.kubernetes.io/storage-class"

var accessModes = []string{"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"}

func modes(list []string, missing string, at *rule.Path) rule.ErrorList {
	if len(list) == 0 {
		return rule.ErrorList{field.Required(at, missing)}
	}
	var errs rule.ErrorList
	alone, others := false, false
	for _, m := range list {
		switch {
		case !slices.Contains(accessModes, m):
			errs = append(errs, field.NotSupported(at, m, accessModes))
		case m == "ReadWriteOncePod":
			alone = true
		default:
			others = true
		}
	}
	if alone && others {
		errs = append(errs, field.Forbidden(at, "may not use ReadWriteOncePod with other access modes"))
	}
	return errs
}

func className(name string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if name != "" {
		for _, msg := range utilvalidation.IsDNS1123Subdomain(name) {
			errs = append(errs, field.Invalid(at, name, msg))
		}
	}
	return errs
}

// ClaimSpec checks what is asked for of storage, in a claim or in the template of one.
func ClaimSpec(s *corev1.PersistentVolumeClaimSpec, at *rule.Path) rule.ErrorList {
	errs := modes(s.GetAccessModes(), "at least 1 access mode is required", at.Child("accessModes"))
	here := at.Child("resources").Key("storage")
	if size := s.GetResources().GetRequests()["storage"]; size == nil {
		errs = append(errs, field.Required(here, ""))
	} else if e := positive(size, here); len(e) > 0 {
		errs = append(errs, e...)
	} else {
		errs = append(errs, quantityOf("storage", size, here)...)
	}
	errs = append(errs, className(s.GetStorageClassName(), at.Child("storageClassName"))...)
	errs = append(errs, className(s.GetVolumeAttributesClassName(), at.Child("volumeAttributesClassName"))...)
	if d := s.GetDataSource(); d != nil {
		errs = append(errs, source(d.GetApiGroup(), d.Kind, d.Name, at.Child("dataSource"))...)
	}
	r := s.GetDataSourceRef()
	if r != nil {
		errs = append(errs, source(r.GetApiGroup(), r.Kind, r.Name, at.Child("dataSourceRef"))...)
		if r.GetNamespace() != "" {
			for _, msg := range utilvalidation.IsDNS1123Label(r.GetNamespace()) {
				errs = append(errs, field.Invalid(at.Child("dataSourceRef", "namespace"), r.GetNamespace(), msg))
			}
		}
	}
	if d := s.GetDataSource(); d != nil && r != nil {
		switch {
		case r.GetNamespace() != "":
			errs = append(errs, field.Invalid(at, at.Child("dataSource").String(), "may not be specified when dataSourceRef.namespace is specified"))
		case d.GetApiGroup() != r.GetApiGroup() || d.Kind != r.Kind || d.Name != r.Name:
			errs = append(errs, field.Invalid(at, at.Child("dataSource").String(), "must match dataSourceRef"))
		}
	}
	return errs
}

func source(group, kind, name string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if name == "" {
		errs = append(errs, field.Required(at.Child("name"), ""))
	}
	if kind == "" {
		errs = append(errs, field.Required(at.Child("kind"), ""))
	}
	if group == "" && kind != "PersistentVolumeClaim" {
		errs = append(errs, field.Invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
	}
	return append(errs, className(group, at.Child("apiGroup"))...)
}

// defaultClaim keeps the two ways to name what a claim's content comes from alike.
func defaultClaim(c *corev1.PersistentVolumeClaim) {
	s := c.GetSpec()
	switch {
	case s == nil:
	case s.DataSource != nil && s.DataSourceRef == nil:
		s.DataSourceRef = &corev1.TypedObjectReference{ApiGroup: s.DataSource.ApiGroup, Kind: s.DataSource.Kind, Name: s.DataSource.Name}
	case s.DataSourceRef != nil && s.DataSource == nil && s.DataSourceRef.GetNamespace() == "" && copied(s.DataSourceRef):
		s.DataSource = &corev1.TypedLocalObjectReference{ApiGroup: s.DataSourceRef.ApiGroup, Kind: s.DataSourceRef.Kind, Name: s.DataSourceRef.Name}
	}
}

// copied tells whether the older field may name a source: claims and snapshots only.
func copied(r *corev1.TypedObjectReference) bool {
	return r.Kind == "PersistentVolumeClaim" && r.GetApiGroup() == "" || r.Kind == "VolumeSnapshot" && r.GetApiGroup() == "snapshot.storage.k8s.io"
}

func claim(c, old *corev1.PersistentVolumeClaim) rule.ErrorList {
	at := field.NewPath("spec")
	s := c.GetSpec()
	if s == nil {
		s = &corev1.PersistentVolumeClaimSpec{}
	}
	errs := ClaimSpec(s, at)
	if old == nil {
		return errs
	}
	now, was := proto.CloneOf(s), proto.CloneOf(old.GetSpec())
	if was == nil {
		was = &corev1.PersistentVolumeClaimSpec{}
	}
	if was.VolumeName == "" {
		was.VolumeName = now.VolumeName // set once, by who binds it
	}
	beta, hadBeta := old.GetMetadata().GetAnnotations()[classAnnotation]
	if now.StorageClassName != nil && was.StorageClassName == nil && (!hadBeta || *now.StorageClassName == beta) {
		was.StorageClassName = now.StorageClassName // the default class, or the annotation's, may be noted later
	} else if c.GetMetadata().GetAnnotations()[classAnnotation] != beta {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "annotations").Key(classAnnotation),
			c.GetMetadata().GetAnnotations()[classAnnotation], validation.FieldImmutableErrorMsg))
	}
	if c.GetStatus().GetPhase() == "Bound" {
		if q := was.GetResources().GetRequests()["storage"]; q != nil && now.GetResources().GetRequests() != nil {
			now.Resources.Requests["storage"] = q
		}
		now.VolumeAttributesClassName = was.VolumeAttributesClassName
	}
	if !sameClaims(now, was) {
		errs = append(errs, field.Forbidden(at, "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"))
	}
	size, _ := rule.Quantity(s.GetResources().GetRequests()["storage"])
	before, _ := rule.Quantity(old.GetSpec().GetResources().GetRequests()["storage"])
	if have, _ := rule.Quantity(old.GetStatus().GetCapacity()["storage"]); size.Cmp(before) < 0 && size.Cmp(have) <= 0 {
		errs = append(errs, field.Forbidden(at.Child("resources", "requests", "storage"), "field can not be less than status.capacity"))
	}
	if s.GetVolumeMode() != old.GetSpec().GetVolumeMode() {
		errs = append(errs, field.Invalid(field.NewPath("volumeMode"), s.GetVolumeMode(), validation.FieldImmutableErrorMsg))
	}
	if old.GetStatus() != nil && old.Status.CurrentVolumeAttributesClassName != nil {
		switch here := at.Child("volumeAttributesClassName"); {
		case s.VolumeAttributesClassName == nil && old.GetSpec().VolumeAttributesClassName != nil:
			errs = append(errs, field.Forbidden(here, "update to nil is forbidden when status.currentVolumeAttributesClassName is not nil"))
		case s.VolumeAttributesClassName != nil && *s.VolumeAttributesClassName == "" && old.GetSpec().GetVolumeAttributesClassName() != "":
			errs = append(errs, field.Forbidden(here, "update to empty string is forbidden when status.currentVolumeAttributesClassName is not nil"))
		}
	}
	return errs
}

// sameClaims compares what claims ask for; quantities that are written differently are the same.
func sameClaims(a, b *corev1.PersistentVolumeClaimSpec) bool {
	canonical := func(list map[string]*metav1.Quantity) {
		for name, q := range list {
			list[name] = &metav1.Quantity{String_: rule.Canonical(q)}
		}
	}
	for _, s := range []*corev1.PersistentVolumeClaimSpec{a, b} {
		if s.Resources == nil {
			s.Resources = &corev1.VolumeResourceRequirements{}
		}
		canonical(s.Resources.Requests)
		canonical(s.Resources.Limits)
	}
	return proto.Equal(a, b)
}

func claimStatus(c, _ *corev1.PersistentVolumeClaim) rule.ErrorList {
	at := field.NewPath("status")
	var errs rule.ErrorList
	for _, name := range slices.Sorted(maps.Keys(c.GetStatus().GetCapacity())) {
		errs = append(errs, quantityOf(name, c.Status.Capacity[name], at.Child("capacity").Key(name))...)
	}
	return errs
}

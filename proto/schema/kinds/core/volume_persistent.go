package core

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// VolumeSpec checks the specification of a persistent volume. inline ones stand in a VolumeAttachment: only CSI volumes.
func VolumeSpec(s *corev1.PersistentVolumeSpec, inline bool, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if inline {
		errs = append(errs, inlineVolume(s, at)...)
	}
	errs = append(errs, modes(s.GetAccessModes(), "", at.Child("accessModes"))...)
	if !inline {
		errs = append(errs, capacity(s, at.Child("capacity"))...)
	}
	if a := s.GetNodeAffinity(); a != nil && !inline && a.Required == nil {
		errs = append(errs, field.Required(at.Child("nodeAffinity", "required"), "must specify required node constraints"))
	}
	for i, t := range s.GetNodeAffinity().GetRequired().GetNodeSelectorTerms() {
		errs = append(errs, labelValues(t, at.Child("nodeAffinity", "required", "nodeSelectorTerms").Index(i))...)
	}
	errs = append(errs, volumeSource(s, at)...)
	if path := s.GetPersistentVolumeSource().GetHostPath().GetPath(); path == "/" && s.PersistentVolumeReclaimPolicy == "Recycle" {
		errs = append(errs, field.Forbidden(at.Child("persistentVolumeReclaimPolicy"), "may not be 'recycle' for a hostPath mount of '/'"))
	}
	errs = append(errs, className(s.GetStorageClassName(), at.Child("storageClassName"))...)
	if c := s.VolumeAttributesClassName; c != nil {
		here := at.Child("volumeAttributesClassName")
		if *c == "" {
			errs = append(errs, field.Required(here, "an empty string is disallowed"))
		}
		errs = append(errs, className(*c, here)...)
		if s.GetPersistentVolumeSource().GetCsi() == nil {
			errs = append(errs, field.Required(at.Child("csi"), "has to be specified when using volumeAttributesClassName"))
		}
	}
	return errs
}

// labelValues demands that what nodes' labels are compared with can be labels.
func labelValues(t *corev1.NodeSelectorTerm, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	for i, r := range t.MatchExpressions {
		for j, v := range r.Values {
			for _, msg := range utilvalidation.IsValidLabelValue(v) {
				errs = append(errs, field.Invalid(at.Child("matchExpressions").Index(i).Child("values").Index(j), v, msg))
			}
		}
	}
	return errs
}

// maxDriverName is the longest name of a storage driver.
const maxDriverName = 63

// driverName checks the name of a storage driver, which may have capitals.
func driverName(name string, at *rule.Path) rule.ErrorList {
	if name == "" {
		return rule.ErrorList{field.Required(at, "")}
	}
	var errs rule.ErrorList
	if len(name) > maxDriverName {
		errs = append(errs, field.TooLong(at, "", maxDriverName))
	}
	for _, msg := range utilvalidation.IsDNS1123Subdomain(strings.ToLower(name)) {
		errs = append(errs, field.Invalid(at, name, msg))
	}
	return errs
}

func inlineVolume(s *corev1.PersistentVolumeSpec, at *rule.Path) rule.ErrorList {
	const where = "in the context of inline volumes"
	var errs rule.ErrorList
	for _, f := range []struct {
		name string
		set  bool
	}{{"claimRef", s.ClaimRef != nil}, {"capacity", len(s.Capacity) > 0}, {"nodeAffinity", s.NodeAffinity != nil},
		{"storageClassName", s.StorageClassName != ""}} {
		if f.set {
			errs = append(errs, field.Forbidden(at.Child(f.name), "may not be specified "+where))
		}
	}
	if s.GetPersistentVolumeSource().GetCsi() == nil {
		errs = append(errs, field.Required(at.Child("csi"), "has to be specified "+where))
	}
	if p := s.PersistentVolumeReclaimPolicy; p != "" && p != "Retain" {
		errs = append(errs, field.Forbidden(at.Child("persistentVolumeReclaimPolicy"), "may only be Retain "+where))
	}
	return errs
}

func capacity(s *corev1.PersistentVolumeSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if len(s.GetCapacity()) == 0 {
		errs = append(errs, field.Required(at, ""))
	}
	if s.GetCapacity()["storage"] == nil || len(s.Capacity) > 1 {
		shown := map[string]string{}
		for name, q := range s.GetCapacity() {
			shown[name] = rule.Canonical(q)
		}
		errs = append(errs, field.NotSupported(at, any(shown), []string{"storage"}))
	}
	for _, name := range slices.Sorted(maps.Keys(s.GetCapacity())) {
		if q, ok := rule.Quantity(s.Capacity[name]); !ok || q.Sign() < 0 {
			errs = append(errs, field.Invalid(at.Key(name), s.Capacity[name].GetString_(), "must be a valid resource quantity"))
		}
		errs = append(errs, positive(s.Capacity[name], at.Key(name))...)
	}
	return errs
}

// volumeSource demands that a volume is in one place.
func volumeSource(s *corev1.PersistentVolumeSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	set := 0
	if src := s.GetPersistentVolumeSource(); src != nil {
		m := src.ProtoReflect()
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			if fd := fields.Get(i); m.Has(fd) {
				if set++; set > 1 {
					errs = append(errs, field.Forbidden(at.Child(fd.JSONName()), "may not specify more than 1 volume type"))
				}
			}
		}
		errs = append(errs, sourceDetails(src, s, at)...)
	}
	if set == 0 {
		errs = append(errs, field.Required(at, "must specify a volume type"))
	}
	return errs
}

func sourceDetails(src *corev1.PersistentVolumeSource, s *corev1.PersistentVolumeSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	require := func(at *rule.Path, value string) {
		if value == "" {
			errs = append(errs, field.Required(at, ""))
		}
	}
	if h := src.HostPath; h != nil {
		require(at.Child("hostPath", "path"), h.Path)
		errs = append(errs, noBacksteps(h.Path, at.Child("hostPath", "path"))...)
	}
	if n := src.Nfs; n != nil {
		require(at.Child("nfs", "server"), n.Server)
		require(at.Child("nfs", "path"), n.Path)
		if n.Path == "" || n.Path[0] != '/' {
			errs = append(errs, field.Invalid(at.Child("nfs", "path"), n.Path, "must be an absolute path"))
		}
	}
	if l := src.Local; l != nil {
		require(at.Child("local", "path"), l.Path)
		errs = append(errs, noBacksteps(l.Path, at.Child("local", "path"))...)
		if s.GetNodeAffinity() == nil {
			errs = append(errs, field.Required(at.Child("nodeAffinity"), "Local volume requires node affinity"))
		}
	}
	if c := src.Csi; c != nil {
		errs = append(errs, driverName(c.Driver, at.Child("csi", "driver"))...)
		require(at.Child("csi", "volumeHandle"), c.VolumeHandle)
		for _, ref := range []struct {
			name string
			ref  *corev1.SecretReference
		}{{"controllerPublishSecretRef", c.ControllerPublishSecretRef}, {"controllerExpandSecretRef", c.ControllerExpandSecretRef},
			{"nodePublishSecretRef", c.NodePublishSecretRef}, {"nodeExpandSecretRef", c.NodeExpandSecretRef}} {
			if ref.ref != nil {
				errs = append(errs, secretReference(ref.ref, at.Child("csi", ref.name))...)
			}
		}
	}
	return errs
}

func secretReference(r *corev1.SecretReference, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if r.Name == "" {
		errs = append(errs, field.Required(at.Child("name"), ""))
	}
	errs = append(errs, className(r.Name, at.Child("name"))...)
	if r.Namespace == "" {
		return append(errs, field.Required(at.Child("namespace"), ""))
	}
	for _, msg := range utilvalidation.IsDNS1123Label(r.Namespace) {
		errs = append(errs, field.Invalid(at.Child("namespace"), r.Namespace, msg))
	}
	return errs
}

func persistentVolume(v, old *corev1.PersistentVolume) rule.ErrorList {
	at := field.NewPath("spec")
	s := v.GetSpec()
	if s == nil {
		s = &corev1.PersistentVolumeSpec{}
	}
	errs := VolumeSpec(s, false, at)
	if old == nil {
		return errs
	}
	now, was := proto.CloneOf(s.PersistentVolumeSource), old.GetSpec().GetPersistentVolumeSource()
	if c := was.GetCsi(); c != nil && c.ControllerExpandSecretRef == nil && now.GetCsi() != nil {
		now.Csi.ControllerExpandSecretRef = nil // may be added
	}
	if !proto.Equal(now, was) {
		errs = append(errs, field.Forbidden(at.Child("persistentvolumesource"), "spec.persistentvolumesource is immutable after creation"))
	}
	if s.GetVolumeMode() != old.GetSpec().GetVolumeMode() {
		errs = append(errs, field.Invalid(field.NewPath("volumeMode"), s.GetVolumeMode(), validation.FieldImmutableErrorMsg))
	}
	if a := old.GetSpec().GetNodeAffinity(); a != nil && !proto.Equal(a, s.NodeAffinity) {
		errs = append(errs, field.Invalid(field.NewPath("nodeAffinity"), rule.Value(s.NodeAffinity),
			validation.FieldImmutableErrorMsg+", except for updating from beta label to GA"))
	}
	if old.GetSpec() != nil && old.Spec.VolumeAttributesClassName != nil && s.VolumeAttributesClassName == nil {
		errs = append(errs, field.Forbidden(at.Child("volumeAttributesClassName"), "update from non-nil value to nil is forbidden"))
	}
	return errs
}

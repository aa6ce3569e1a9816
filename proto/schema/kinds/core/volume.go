package core

import (
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"google.golang.org/protobuf/reflect/protoreflect"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/rule"
	"github.com/keelson/keelson/proto/schema/shape"
)

// sources has the kinds of volumes.
var sources = sync.OnceValue(func() *shape.Message { return shape.Of((*corev1.VolumeSource)(nil).ProtoReflect().Descriptor()) })

// volume checks that a volume has one source, and what the source demands beyond its options.
func volume(v *corev1.Volume, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	set := 0
	source := shape.PointerTo(v.GetVolumeSource())
	for _, f := range sources().Fields {
		if f.Has(f.In(source)) {
			if set++; set > 1 {
				errs = append(errs, field.Forbidden(at.Child(f.Name), "may not specify more than 1 volume type"))
			}
		}
	}
	if set == 0 {
		return append(errs, field.Required(at, "must specify a volume type"))
	}
	s := v.VolumeSource
	if e := s.EmptyDir; e != nil && e.SizeLimit != nil {
		if q, err := resource.ParseQuantity(or(e.SizeLimit.GetString_(), "0")); err == nil && q.Sign() < 0 {
			errs = append(errs, field.Forbidden(at.Child("emptyDir", "sizeLimit"), "SizeLimit field must be a valid resource quantity"))
		}
	}
	if e := s.EmptyDir; e != nil {
		switch at := at.Child("emptyDir", "medium"); {
		case e.Medium == "", e.Medium == "Memory":
		case strings.HasPrefix(e.Medium, "HugePages"):
			errs = append(errs, field.Forbidden(at, rule.NotYet+"there are no huge pages"))
		default:
			errs = append(errs, field.NotSupported(at, e.Medium, []string{"", "Memory", "HugePages"}))
		}
	}
	if h := s.HostPath; h != nil && h.Path != "" {
		errs = append(errs, noBacksteps(h.Path, at.Child("hostPath", "path"))...)
	}
	if c := s.ConfigMap; c != nil && c.GetLocalObjectReference().GetName() == "" {
		errs = append(errs, field.Required(at.Child("configMap", "name"), ""))
	}
	if p := s.Projected; p != nil {
		errs = append(errs, projected(p, at.Child("projected"))...)
	}
	return errs
}

func keyToPath(k *corev1.KeyToPath, at *rule.Path) rule.ErrorList {
	if k.Path == "" {
		return nil
	}
	return localPath(k.Path, at.Child("path"))
}

func downwardFile(f *corev1.DownwardAPIVolumeFile, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if f.Path != "" {
		errs = append(errs, localPath(f.Path, at.Child("path"))...)
	}
	switch {
	case f.FieldRef != nil:
		errs = append(errs, fieldRef(f.FieldRef, fileFields, at.Child("fieldRef"))...)
		if f.ResourceFieldRef != nil {
			errs = append(errs, field.Invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
		}
	case f.ResourceFieldRef != nil:
		if f.ResourceFieldRef.ContainerName == "" {
			errs = append(errs, field.Required(at.Child("resourceFieldRef", "containerName"), ""))
		}
		if f.ResourceFieldRef.Resource != "" {
			errs = append(errs, resourceRef(f.ResourceFieldRef, at.Child("resourceFieldRef"))...)
		}
	default:
		errs = append(errs, field.Required(at, "one of fieldRef and resourceFieldRef is required"))
	}
	return errs
}

// minTokenSeconds is the shortest life of a projected token.
const minTokenSeconds = 10 * 60

func projected(p *corev1.ProjectedVolumeSource, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	paths := map[string]bool{}
	add := func(path string, at *rule.Path) {
		if path == "" {
			return
		}
		if paths[path] {
			errs = append(errs, field.Invalid(at, path, "conflicting duplicate paths"))
		}
		paths[path] = true
	}
	for i, s := range p.Sources {
		at := at.Child("sources").Index(i)
		set := 0
		m := s.ProtoReflect()
		m.Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			if set++; set > 1 {
				errs = append(errs, field.Forbidden(at.Child(fd.JSONName()), "may not specify more than 1 volume type"))
			}
			return true
		})
		if c := s.ConfigMap; c != nil {
			if c.GetLocalObjectReference().GetName() == "" {
				errs = append(errs, field.Required(at.Child("configMap", "name"), ""))
			}
			for _, k := range c.Items {
				add(k.Path, at.Child("configMap"))
			}
		}
		if c := s.Secret; c != nil {
			if c.GetLocalObjectReference().GetName() == "" {
				errs = append(errs, field.Required(at.Child("secret", "name"), ""))
			}
			for _, k := range c.Items {
				add(k.Path, at.Child("secret"))
			}
		}
		if d := s.DownwardAPI; d != nil {
			for _, f := range d.Items {
				add(f.Path, at.Child("downwardAPI"))
			}
		}
		if t := s.ServiceAccountToken; t != nil {
			at := at.Child("serviceAccountToken")
			switch n := t.GetExpirationSeconds(); {
			case n < minTokenSeconds:
				errs = append(errs, field.Invalid(at.Child("expirationSeconds"), n, "may not specify a duration less than 10 minutes"))
			case n > 1<<32:
				errs = append(errs, field.Invalid(at.Child("expirationSeconds"), n, "may not specify a duration larger than 2^32 seconds"))
			}
			if t.Path != "" {
				errs = append(errs, localPath(t.Path, at.Child("path"))...)
				add(t.Path, at.Child("path"))
			}
		}
		if set == 0 {
			errs = append(errs, field.Required(at, "must specify a volume type"))
		}
	}
	return errs
}

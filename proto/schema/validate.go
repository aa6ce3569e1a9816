package schema

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/shape"
)

// Validate returns everything that is wrong with an object, which must have its defaults. old is the stored object on
// update and nil on create. A field of the root that is as it was stored is not checked again.
func (k *Kind) Validate(obj, old proto.Message) ErrorList { return k.validate(obj, old, false) }

// ValidateWhole is Validate for an old object that was made for the comparison: what both have is checked too.
func (k *Kind) ValidateWhole(obj, old proto.Message) ErrorList { return k.validate(obj, old, true) }

func (k *Kind) validate(obj, old proto.Message, whole bool) ErrorList {
	errs := k.validateMeta(obj, old)
	if k.Custom != nil {
		return dedupe(append(errs, k.validateCustom(obj, old, false)...))
	}
	if k.plan != nil {
		w := walker{skip: k.metaField, status: k.statusField, places: make([]place, 0, 24), whole: whole}
		w.message(k.plan, shape.PointerTo(obj), shape.PointerTo(old))
		errs = append(errs, w.errs...)
	}
	if k.hooks.Validate != nil {
		errs = append(errs, k.hooks.Validate(obj, old)...)
	}
	if k.hooks.Review != nil {
		errs = k.hooks.Review(obj, errs)
	}
	return dedupe(errs)
}

// ValidateStatus returns everything that is wrong with a write of the status subresource.
func (k *Kind) ValidateStatus(obj, old proto.Message) ErrorList {
	errs := k.validateMeta(obj, old)
	if k.Custom != nil {
		return dedupe(append(errs, k.validateCustom(obj, old, true)...))
	}
	if k.hooks.ValidateStatus != nil {
		errs = append(errs, k.hooks.ValidateStatus(obj, old)...)
	}
	return dedupe(errs)
}

// ValidateMetadata checks what a subresource changes of an object beside its own part.
func (k *Kind) ValidateMetadata(obj, old proto.Message) ErrorList { return k.validateMeta(obj, old) }

func (k *Kind) validateMeta(obj, old proto.Message) ErrorList {
	if k.metaField == nil || k.Ephemeral {
		return nil
	}
	meta := k.Meta(obj)
	if meta == nil {
		meta = &metav1.ObjectMeta{}
	}
	errs := validateMeta(meta, k.Namespaced, k.NameFormat)
	var was *metav1.ObjectMeta
	if old != nil {
		was = k.Meta(old)
		errs = append(errs, validateMetaUpdate(meta, was)...)
	}
	if k.Custom == nil && !plainFinalizers[k.Group] {
		errs = append(errs, qualifiedFinalizers(meta.Finalizers, was.GetFinalizers(), finalizersPath)...)
	}
	return errs
}

// Meta returns an object's metadata; nil where it has none.
func (k *Kind) Meta(obj proto.Message) *metav1.ObjectMeta {
	if o, ok := obj.(interface{ GetMetadata() *metav1.ObjectMeta }); ok {
		return o.GetMetadata()
	}
	return nil
}

// dedupe removes errors that an option and a hook both found.
func dedupe(errs ErrorList) ErrorList {
	if len(errs) < 2 {
		return errs
	}
	seen := make(map[string]bool, len(errs))
	return slices.DeleteFunc(errs, func(e *field.Error) bool {
		text := e.Error()
		if seen[text] {
			return true
		}
		seen[text] = true
		return false
	})
}

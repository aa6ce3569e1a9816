package reviews

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/validation/field"

	authorizationv1 "github.com/keelson/keelson/proto/gen/keelson/authorization/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
)

// requirement is what the requirements of field and label selectors have in common.
type requirement interface {
	GetKey() string
	GetOperator() string
	GetValues() []string
}

// selectors checks what an access is restricted to. Operators that are not known are left to the authorizers: a client may
// be newer than the server.
func selectors(r *authorizationv1.ResourceAttributes, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if s := r.GetFieldSelector(); s != nil {
		errs = append(errs, selector(s.RawSelector, s.Requirements, at.Child("fieldSelector"), func(string) []string { return nil })...)
	}
	if s := r.GetLabelSelector(); s != nil {
		errs = append(errs, selector(s.RawSelector, s.Requirements, at.Child("labelSelector"), format.QualifiedName)...)
	}
	return errs
}

func selector[R requirement](raw string, list []R, at *rule.Path, key func(string) []string) rule.ErrorList {
	var errs rule.ErrorList
	switch {
	case raw != "" && len(list) > 0:
		errs = append(errs, field.Invalid(at.Child("rawSelector"), raw, "may not specified at the same time as requirements"))
	case raw == "" && len(list) == 0:
		errs = append(errs, field.Required(at.Child("requirements"), fmt.Sprintf("when %s is specified, requirements or rawSelector is required", at)))
	}
	for i, r := range list {
		at := at.Child("requirements").Index(i)
		if r.GetKey() == "" {
			errs = append(errs, field.Required(at.Child("key"), "must be specified"))
		} else {
			for _, msg := range key(r.GetKey()) {
				errs = append(errs, field.Invalid(at.Child("key"), r.GetKey(), msg))
			}
		}
		switch op := r.GetOperator(); {
		case slices.Contains([]string{"In", "NotIn"}, op) && len(r.GetValues()) == 0:
			errs = append(errs, field.Required(at.Child("values"), "must be specified when `operator` is 'In' or 'NotIn'"))
		case slices.Contains([]string{"Exists", "DoesNotExist"}, op) && len(r.GetValues()) > 0:
			errs = append(errs, field.Forbidden(at.Child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
		}
	}
	return errs
}

// noMetadata refuses reviews that say who they are: they are answered, not kept. except names what may be said.
func noMetadata(m *metav1.ObjectMeta, except string) rule.ErrorList {
	rest := proto.CloneOf(m)
	if rest == nil {
		return nil
	}
	rest.ManagedFields = nil
	if proto.Size(rest.CreationTimestamp) == 0 {
		rest.CreationTimestamp = nil // Go clients send the zero time
	}
	if except != "" {
		rest.Namespace = ""
	}
	if proto.Size(rest) == 0 {
		return nil
	}
	return rule.ErrorList{field.Invalid(field.NewPath("metadata"), rule.Value(m), "must be empty"+except)}
}

package validate

import (
	"fmt"
	"math"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/proto/schema"
)

// checkScale looks at what the scale subresource shows.
func checkScale(scale *schema.Scale, obj map[string]any, status bool) field.ErrorList {
	if scale == nil {
		return nil
	}
	var errs field.ErrorList
	if !status {
		errs = replicas(obj, scale.Spec)
	}
	errs = append(errs, replicas(obj, scale.Status)...)
	if len(scale.Selector) > 0 {
		if v, ok := schema.Walk(obj, scale.Selector); ok {
			if _, ok := v.(string); !ok {
				errs = append(errs, field.Invalid(path(scale.Selector), "", mismatch(scale.Selector, v, "string")))
			}
		}
	}
	return errs
}

func replicas(obj map[string]any, names []string) field.ErrorList {
	v, ok := schema.Walk(obj, names)
	if !ok {
		return nil
	}
	n, ok := v.(int64)
	switch {
	case !ok:
		return field.ErrorList{field.Invalid(path(names), int64(0), mismatch(names, v, "int64"))}
	case n < 0:
		return field.ErrorList{field.Invalid(path(names), n, "should be a non-negative integer")}
	case n > math.MaxInt32:
		return field.ErrorList{field.Invalid(path(names), n, fmt.Sprintf("should be less than or equal to %v", math.MaxInt32))}
	}
	return nil
}

func mismatch(names []string, v any, want string) string {
	return fmt.Sprintf("%s accessor error: %v is of the type %T, expected %s", "."+strings.Join(names, "."), v, v, want)
}

// path is the definition's own spelling: it begins with a dot.
func path(names []string) *field.Path { return field.NewPath("." + strings.Join(names, ".")) }

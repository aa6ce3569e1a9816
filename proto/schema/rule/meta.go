package rule

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/proto/schema/format"
)

// MaxAnnotations is the most bytes that the keys and values of an object's annotations may have together.
const MaxAnnotations = 256 * 1024

// MaxFieldManager is the longest name of a field manager.
const MaxFieldManager = 128

// Labels checks the keys and values of labels.
func Labels(labels map[string]string, at *Path) ErrorList {
	plain := true
	for k, v := range labels {
		plain = plain && format.IsQualifiedName(k) && format.IsLabelValue(v)
	}
	if plain {
		return nil
	}
	var errs ErrorList
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		for _, msg := range validation.IsQualifiedName(k) {
			errs = append(errs, field.Invalid(at, k, msg))
		}
		for _, msg := range validation.IsValidLabelValue(labels[k]) {
			errs = append(errs, field.Invalid(at, labels[k], msg))
		}
	}
	return errs
}

// Annotations checks the keys of annotations and their size.
func Annotations(annotations map[string]string, at *Path) ErrorList {
	var errs ErrorList
	size, plain := 0, true
	for k, v := range annotations {
		size += len(k) + len(v)
		plain = plain && format.IsQualifiedName(k)
	}
	if !plain {
		for _, k := range slices.Sorted(maps.Keys(annotations)) {
			for _, msg := range validation.IsQualifiedName(strings.ToLower(k)) {
				errs = append(errs, field.Invalid(at, k, msg))
			}
		}
	}
	if size > MaxAnnotations {
		errs = append(errs, field.TooLong(at, "", MaxAnnotations))
	}
	return errs
}

// FieldManager checks the name of a field manager.
func FieldManager(name string, at *Path) ErrorList {
	if len(name) > MaxFieldManager {
		return ErrorList{field.TooLong(at, "", MaxFieldManager)}
	}
	for i, r := range name {
		if !unicode.IsPrint(r) {
			return ErrorList{field.Invalid(at, name, "should only contain printable characters, character at index "+itoa(i)+" is not printable")}
		}
	}
	return nil
}

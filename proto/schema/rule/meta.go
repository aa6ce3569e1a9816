package rule

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// MaxAnnotations is the most bytes that the keys and values of an object's annotations may have together.
const MaxAnnotations = 256 * 1024

// MaxFieldManager is the longest name of a field manager.
const MaxFieldManager = 128

// Labels checks the keys and values of labels.
func Labels(labels map[string]string, at *Path) ErrorList {
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
	size := 0
	for _, k := range slices.Sorted(maps.Keys(annotations)) {
		for _, msg := range validation.IsQualifiedName(strings.ToLower(k)) {
			errs = append(errs, field.Invalid(at, k, msg))
		}
		size += len(k) + len(annotations[k])
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

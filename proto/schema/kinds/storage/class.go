package storage

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	storagev1 "github.com/keelson/keelson/proto/gen/keelson/storage/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Bounds of the settings that a class passes on to its driver.
const (
	maxParameters     = 512
	maxParameterBytes = 256 << 10
)

func messages(at *rule.Path, value string, list []string) rule.ErrorList {
	var errs rule.ErrorList
	for _, msg := range list {
		errs = append(errs, field.Invalid(at, value, msg))
	}
	return errs
}

func provisioner(name string, at *rule.Path) rule.ErrorList {
	if name == "" {
		return rule.ErrorList{field.Required(at, "")}
	}
	name = strings.ToLower(name)
	return messages(at, name, validation.IsQualifiedName(name))
}

func parameters(p map[string]string, at *rule.Path) rule.ErrorList {
	if len(p) > maxParameters {
		return rule.ErrorList{field.TooLong(at, "", maxParameters)}
	}
	var errs rule.ErrorList
	size := 0
	for _, k := range slices.Sorted(maps.Keys(p)) {
		if k == "" {
			errs = append(errs, field.Invalid(at, k, "field can not be empty."))
		}
		size += len(k) + len(p[k])
	}
	if size > maxParameterBytes {
		errs = append(errs, field.TooLong(at, "", maxParameterBytes))
	}
	return errs
}

func storageClass(c, old *storagev1.StorageClass) rule.ErrorList {
	if old != nil {
		return nil // what may not change say the options; the rest was checked
	}
	errs := provisioner(c.Provisioner, field.NewPath("provisioner"))
	errs = append(errs, parameters(c.Parameters, field.NewPath("parameters"))...)
	if p := c.GetReclaimPolicy(); p != "" && p != "Delete" && p != "Retain" {
		errs = append(errs, field.NotSupported(field.NewPath("reclaimPolicy"), p, []string{"Delete", "Retain"}))
	}
	at := field.NewPath("allowedTopologies")
	var seen []map[string][]string
	for i, term := range c.AllowedTopologies {
		values, e := topology(term, at.Index(i))
		errs = append(errs, e...)
		for _, other := range seen {
			if maps.EqualFunc(values, other, slices.Equal) {
				errs = append(errs, field.Duplicate(at.Index(i).Child("matchLabelExpressions"), ""))
			}
		}
		seen = append(seen, values)
	}
	return errs
}

// topology checks a term and returns the values that it allows, by label.
func topology(t *corev1.TopologySelectorTerm, at *rule.Path) (map[string][]string, rule.ErrorList) {
	var errs rule.ErrorList
	out := map[string][]string{}
	for i, e := range t.MatchLabelExpressions {
		at := at.Child("matchLabelExpressions").Index(i)
		if len(e.Values) == 0 {
			errs = append(errs, field.Required(at.Child("values"), ""))
		}
		for j, v := range e.Values {
			if slices.Contains(e.Values[:j], v) {
				errs = append(errs, field.Duplicate(at.Child("values").Index(j), v))
			}
		}
		errs = append(errs, messages(at.Child("key"), e.Key, validation.IsQualifiedName(e.Key))...)
		if _, twice := out[e.Key]; twice {
			errs = append(errs, field.Duplicate(at.Child("key"), e.Key))
		}
		out[e.Key] = slices.Sorted(slices.Values(e.Values))
	}
	return out, errs
}

func attributesClass(c, old *storagev1.VolumeAttributesClass) rule.ErrorList {
	var errs rule.ErrorList
	at := field.NewPath("parameters")
	if old != nil {
		if old.DriverName != c.DriverName {
			errs = append(errs, field.Forbidden(field.NewPath("driverName"), "updates to driverName are forbidden."))
		}
		if !maps.Equal(old.Parameters, c.Parameters) {
			errs = append(errs, field.Forbidden(at, "updates to parameters are forbidden."))
		}
	}
	errs = append(errs, provisioner(c.DriverName, field.NewPath("driverName"))...)
	errs = append(errs, parameters(c.Parameters, at)...)
	if len(c.Parameters) == 0 {
		errs = append(errs, field.Required(at, "must contain at least one key/value pair"))
	}
	return errs
}

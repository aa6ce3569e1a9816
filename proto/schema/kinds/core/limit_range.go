package core

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/resource"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// defaultLimits derives what containers get by default from what they may have: the limit from the maximum, the request
// from the limit or the minimum.
func defaultLimits(l *corev1.LimitRangeItem) {
	if l.Type != "Container" {
		return
	}
	l.Default = inherit(l.Default, l.Max)
	l.DefaultRequest = inherit(l.DefaultRequest, l.Default)
	l.DefaultRequest = inherit(l.DefaultRequest, l.Min)
}

func inherit(to, from map[string]*metav1.Quantity) map[string]*metav1.Quantity {
	for name, q := range from {
		if _, ok := to[name]; ok {
			continue
		}
		if to == nil {
			to = map[string]*metav1.Quantity{}
		}
		to[name] = proto.CloneOf(q)
	}
	return to
}

func limitRange(l, _ *corev1.LimitRange) rule.ErrorList {
	var errs rule.ErrorList
	seen := map[string]bool{}
	for i, item := range l.GetSpec().GetLimits() {
		at := field.NewPath("spec", "limits").Index(i)
		errs = append(errs, limitType(item.Type, at.Child("type"))...)
		if seen[item.Type] {
			errs = append(errs, field.Duplicate(at.Child("type"), item.Type))
		}
		seen[item.Type] = true
		errs = append(errs, limits(item, at)...)
	}
	return errs
}

func limitType(name string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	for _, msg := range utilvalidation.IsQualifiedName(name) {
		errs = append(errs, field.Invalid(at, name, msg))
	}
	if len(errs) == 0 && !strings.Contains(name, "/") && name != "Pod" && name != "Container" && name != "PersistentVolumeClaim" {
		errs = append(errs, field.Invalid(at, name, "must be a standard limit type or fully qualified"))
	}
	return errs
}

func limits(item *corev1.LimitRangeItem, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	names := resourceName
	if item.Type == "Pod" || item.Type == "Container" {
		names = ContainerResourceName
	}
	all := map[string]bool{}
	check := func(list map[string]*metav1.Quantity, field string) {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			errs = append(errs, names(name, at.Child(field).Key(name))...)
			all[name] = true
		}
	}
	check(item.Max, "max")
	check(item.Min, "min")
	defaults, requests := item.Default, item.DefaultRequest
	if item.Type == "Pod" {
		if len(defaults) > 0 {
			errs = append(errs, field.Forbidden(at.Child("default"), "may not be specified when `type` is 'Pod'"))
		}
		if len(requests) > 0 {
			errs = append(errs, field.Forbidden(at.Child("defaultRequest"), "may not be specified when `type` is 'Pod'"))
		}
		defaults, requests = nil, nil
	} else {
		check(defaults, "default")
		check(requests, "defaultRequest")
	}
	if item.Type == "PersistentVolumeClaim" && item.Min["storage"] == nil && item.Max["storage"] == nil {
		errs = append(errs, field.Required(at.Child("limits"), "either minimum or maximum storage value is required, but neither was provided"))
	}
	check(item.MaxLimitRequestRatio, "maxLimitRequestRatio")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b := bounds{name: name, at: at}
		b.min, b.max = bound(item.Min, name), bound(item.Max, name)
		b.limit, b.request, b.ratio = bound(defaults, name), bound(requests, name), bound(item.MaxLimitRequestRatio, name)
		errs = append(errs, b.check()...)
	}
	return errs
}

func bound(list map[string]*metav1.Quantity, name string) *resource.Quantity {
	q, ok := rule.Quantity(list[name])
	if list[name] == nil || !ok {
		return nil
	}
	return &q
}

// bounds are those of one resource; nil ones are not set.
type bounds struct {
	name                            string
	at                              *rule.Path
	min, max, limit, request, ratio *resource.Quantity
}

func (b bounds) check() rule.ErrorList {
	var errs rule.ErrorList
	// ordered demands that low is not above high.
	ordered := func(low, high *resource.Quantity, at string, bad *resource.Quantity, format string) {
		if low != nil && high != nil && low.Cmp(*high) > 0 {
			errs = append(errs, field.Invalid(b.at.Child(at).Key(b.name), bad.String(), fmt.Sprintf(format, low, high)))
		}
	}
	ordered(b.min, b.max, "min", b.min, "min value %v is greater than max value %v")
	ordered(b.min, b.request, "defaultRequest", b.request, "min value %v is greater than default request value %v")
	ordered(b.request, b.max, "defaultRequest", b.request, "default request value %v is greater than max value %v")
	ordered(b.request, b.limit, "defaultRequest", b.request, "default request value %v is greater than default limit value %v")
	ordered(b.min, b.limit, "default", b.min, "min value %v is greater than default value %v")
	ordered(b.limit, b.max, "default", b.max, "default value %v is greater than max value %v")
	if b.ratio != nil {
		at := b.at.Child("maxLimitRequestRatio").Key(b.name)
		if b.ratio.CmpInt64(1) < 0 {
			errs = append(errs, field.Invalid(at, b.ratio.String(), fmt.Sprintf("ratio %v is less than 1", b.ratio)))
		}
		if b.min != nil && b.max != nil {
			if most := b.max.AsApproximateFloat64() / b.min.AsApproximateFloat64(); b.ratio.AsApproximateFloat64() > most && !math.IsNaN(most) {
				errs = append(errs, field.Invalid(at, b.ratio.String(), fmt.Sprintf("ratio %v is greater than max/min = %f", b.ratio, most)))
			}
		}
	}
	overcommit := native(b.name) && !strings.HasPrefix(b.name, hugePages)
	if !overcommit && b.limit != nil && b.request != nil && b.limit.Cmp(*b.request) != 0 {
		errs = append(errs, field.Invalid(b.at.Child("defaultRequest").Key(b.name), b.request.String(),
			fmt.Sprintf("default value %v must equal to defaultRequest value %v in %s", b.limit, b.request, b.name)))
	}
	return errs
}

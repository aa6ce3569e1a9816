package rule

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/format"
)

// LabelSelector checks a label selector.
func LabelSelector(s *metav1.LabelSelector, at *Path) ErrorList {
	if s == nil {
		return nil
	}
	errs := Labels(s.MatchLabels, at.Child("matchLabels"))
	for i, e := range s.MatchExpressions {
		at := at.Child("matchExpressions").Index(i)
		switch e.Operator {
		case "In", "NotIn":
			if len(e.Values) == 0 {
				errs = append(errs, field.Required(at.Child("values"), "must be specified when `operator` is 'In' or 'NotIn'"))
			}
		case "Exists", "DoesNotExist":
			if len(e.Values) > 0 {
				errs = append(errs, field.Forbidden(at.Child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
			}
		default:
			errs = append(errs, field.Invalid(at.Child("operator"), e.Operator, "not a valid selector operator"))
		}
		for _, msg := range format.QualifiedName(e.Key) {
			errs = append(errs, field.Invalid(at.Child("key"), e.Key, msg))
		}
		for j, v := range e.Values {
			for _, msg := range format.LabelValue(v) {
				errs = append(errs, field.Invalid(at.Child("values").Index(j), v, msg))
			}
		}
	}
	return errs
}

// Selects tells whether a label selector, which must be valid, matches labels. An empty one matches everything.
func Selects(s *metav1.LabelSelector, labels map[string]string) bool {
	for k, v := range s.GetMatchLabels() {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	for _, e := range s.GetMatchExpressions() {
		got, ok := labels[e.Key]
		in := false
		for _, v := range e.Values {
			in = in || v == got
		}
		switch e.Operator {
		case "In":
			if !ok || !in {
				return false
			}
		case "NotIn":
			if ok && in {
				return false
			}
		case "Exists":
			if !ok {
				return false
			}
		case "DoesNotExist":
			if ok {
				return false
			}
		}
	}
	return true
}

// EmptySelector tells whether a selector matches everything.
func EmptySelector(s *metav1.LabelSelector) bool {
	return len(s.GetMatchLabels()) == 0 && len(s.GetMatchExpressions()) == 0
}

package core

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
)

const hugePages = "hugepages-"

// native tells whether a resource is Kubernetes' own: then it has no domain.
func native(name string) bool {
	return !strings.Contains(name, "/") || strings.Contains(name, "kubernetes.io/")
}

func containerResource(name string) bool {
	return name == "cpu" || name == "memory" || name == "ephemeral-storage" || strings.HasPrefix(name, hugePages)
}

// Requirements checks a container's resources.
func Requirements(r *corev1.ResourceRequirements, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	limits, e := quantities(r.GetLimits(), at, "limits")
	errs = append(errs, e...)
	requests, e := quantities(r.GetRequests(), at, "requests")
	errs = append(errs, e...)
	for _, name := range inOrder(requests) {
		limit, ok := limits[name]
		request := requests[name]
		switch {
		case ok && request.Cmp(limit) > 0:
			errs = append(errs, field.Invalid(at.Child("requests"), request.String(), fmt.Sprintf("must be less than or equal to %s limit of %s", name, limit.String())))
		case (!native(name) || strings.HasPrefix(name, hugePages)) && (!ok || request.Cmp(limit) != 0):
			if !ok {
				errs = append(errs, field.Required(at.Child("limits"), "Limit must be set for non overcommitable resources"))
			} else {
				errs = append(errs, field.Invalid(at.Child("requests"), request.String(), fmt.Sprintf("must be equal to %s limit of %s", name, limit.String())))
			}
		}
	}
	return append(errs, hugePagesAlone(requests, limits, at)...)
}

// hugePagesAlone refuses huge pages without processor time or memory: their container would have no request to go by.
func hugePagesAlone(requests, limits map[string]resource.Quantity, at *rule.Path) rule.ErrorList {
	huge := false
	for _, list := range []map[string]resource.Quantity{limits, requests} {
		for name := range list {
			if name == "cpu" || name == "memory" {
				return nil
			}
			huge = huge || strings.HasPrefix(name, hugePages)
		}
	}
	if huge {
		return rule.ErrorList{field.Forbidden(at, "HugePages require cpu or memory")}
	}
	return nil
}

// wholePages tells whether an amount of huge pages is a number of pages of their size, which is in their name.
func wholePages(name string, amount resource.Quantity) bool {
	size, err := resource.ParseQuantity(strings.TrimPrefix(name, hugePages))
	return err == nil && size.Sign() > 0 && size.MilliValue()%1000 == 0 && amount.Value()%size.Value() == 0
}

// inOrder returns the keys of a map in order.
func inOrder[T any](m map[string]T) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// quantities reads and checks the quantities of a field. Its path is made where something is wrong.
func quantities(list map[string]*metav1.Quantity, at *rule.Path, child string) (map[string]resource.Quantity, rule.ErrorList) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make(map[string]resource.Quantity, len(list))
	var errs rule.ErrorList
	for _, name := range inOrder(list) {
		wrong := func(value any, msg string) {
			errs = append(errs, field.Invalid(at.Child(child).Key(name), value, msg))
		}
		for _, msg := range format.QualifiedName(name) {
			wrong(name, msg)
		}
		if native(name) && !containerResource(name) {
			wrong(name, "must be a standard resource for containers")
		}
		q, err := resource.ParseQuantity(or(list[name].GetString_(), "0"))
		if err != nil {
			wrong(list[name].GetString_(), err.Error())
			continue
		}
		if q.Sign() < 0 {
			wrong(q.String(), "must be greater than or equal to 0")
		}
		if (!native(name) || name == "pods") && q.MilliValue()%1000 != 0 {
			wrong(q.String(), "must be an integer")
		}
		if strings.HasPrefix(name, hugePages) && !wholePages(name, q) {
			wrong(q.String(), fmt.Sprintf("%s is not positive integer multiple of %s", q.String(), name))
		}
		out[name] = q
	}
	return out, errs
}

func or(text, empty string) string {
	if text == "" {
		return empty
	}
	return text
}

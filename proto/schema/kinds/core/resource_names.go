package core

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Names of resources that a quota may bound without naming a kind.
var (
	computeResources = []string{"cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
		"limits.cpu", "limits.memory", "limits.ephemeral-storage"}
	countedResources = []string{"pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
		"persistentvolumeclaims", "services.nodeports", "services.loadbalancers"}
)

func quotaResource(name string) bool {
	return slices.Contains(computeResources, name) || slices.Contains(countedResources, name) || name == "requests.storage" ||
		strings.HasPrefix(name, hugePages) || strings.HasPrefix(name, "requests."+hugePages)
}

// resourceName checks the name of any resource.
func resourceName(name string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	for _, msg := range utilvalidation.IsQualifiedName(name) {
		errs = append(errs, field.Invalid(at, name, msg))
	}
	if len(errs) == 0 && !strings.Contains(name, "/") && !quotaResource(name) && name != "storage" {
		errs = append(errs, field.Invalid(at, name, "must be a standard resource type or fully qualified"))
	}
	return errs
}

// ContainerResourceName checks the name of a resource of containers.
func ContainerResourceName(name string, at *rule.Path) rule.ErrorList {
	errs := resourceName(name, at)
	switch {
	case !strings.Contains(name, "/") && !containerResource(name):
		errs = append(errs, field.Invalid(at, name, "must be a standard resource for containers"))
	case !native(name) && !extendedResource(name):
		errs = append(errs, field.Invalid(at, name, "doesn't follow extended resource name standard"))
	}
	return errs
}

// extendedResource tells whether a name is of a resource that is not Kubernetes' own.
func extendedResource(name string) bool {
	return !native(name) && !strings.HasPrefix(name, "requests.") && len(utilvalidation.IsQualifiedName("requests."+name)) == 0
}

// integral tells whether a resource is counted in whole pieces.
func integral(name string) bool {
	return slices.Contains(countedResources, name) || extendedResource(name)
}

// amounts checks the quantities of a list of resources.
func amounts(list map[string]*metav1.Quantity, names func(name string, at *rule.Path) rule.ErrorList, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	for _, name := range slices.Sorted(maps.Keys(list)) {
		errs = append(errs, names(name, at.Key(name))...)
		errs = append(errs, quantityOf(name, list[name], at.Key(name))...)
	}
	return errs
}

// quantityOf checks one quantity of a resource.
func quantityOf(name string, v *metav1.Quantity, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	q, ok := rule.Quantity(v)
	if !ok {
		_, err := resource.ParseQuantity(v.GetString_())
		return rule.ErrorList{field.Invalid(at, v.GetString_(), err.Error())}
	}
	if q.Sign() < 0 {
		errs = append(errs, field.Invalid(at, q.String(), validation.IsNegativeErrorMsg))
	}
	if integral(name) && q.MilliValue()%1000 != 0 {
		errs = append(errs, field.Invalid(at, q.String(), "must be an integer"))
	}
	return errs
}

// positive demands a quantity above zero.
func positive(v *metav1.Quantity, at *rule.Path) rule.ErrorList {
	if q, ok := rule.Quantity(v); ok && q.Sign() <= 0 {
		return rule.ErrorList{field.Invalid(at, q.String(), "must be greater than zero")}
	}
	return nil
}

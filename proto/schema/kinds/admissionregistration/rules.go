package admissionregistration

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// operations checks one rule. Mutations have nothing to change in a deletion.
func operations(r *v1.RuleWithOperations, at *rule.Path, mutating bool) rule.ErrorList {
	var errs rule.ErrorList
	ops := r.GetOperations()
	if len(ops) == 0 {
		errs = append(errs, field.Required(at.Child("operations"), ""))
	}
	if len(ops) > 1 && slices.Contains(ops, "*") {
		errs = append(errs, field.Invalid(at.Child("operations"), ops, "if '*' is present, must not specify other operations"))
	}
	for i, op := range ops {
		if mutating && op == "DELETE" {
			errs = append(errs, field.NotSupported(at.Child("operations").Index(i), op, []string{"*", "CONNECT", "CREATE", "UPDATE"}))
		}
	}
	q := r.GetRule()
	errs = append(errs, names(q.GetApiGroups(), at.Child("apiGroups"), "API groups", true)...)
	errs = append(errs, names(q.GetApiVersions(), at.Child("apiVersions"), "API versions", false)...)
	return append(errs, resources(q.GetResources(), at.Child("resources"))...)
}

func names(list []string, at *rule.Path, what string, emptyAllowed bool) rule.ErrorList {
	var errs rule.ErrorList
	if len(list) == 0 {
		errs = append(errs, field.Required(at, ""))
	}
	if len(list) > 1 && slices.Contains(list, "*") {
		errs = append(errs, field.Invalid(at, list, "if '*' is present, must not specify other "+what))
	}
	for i, name := range list {
		if name == "" && !emptyAllowed {
			errs = append(errs, field.Required(at.Index(i), ""))
		}
	}
	return errs
}

// resources refuses wildcards that make others superfluous.
func resources(list []string, at *rule.Path) rule.ErrorList {
	if len(list) == 0 {
		return rule.ErrorList{field.Required(at, "")}
	}
	var errs rule.ErrorList
	wholes, parts := map[string]bool{}, map[string]bool{} // those of which all subresources, and all of which one subresource, are named
	seen, everything := map[string]bool{}, slices.Contains(list, "*/*")
	for i, r := range list {
		if r == "" {
			errs = append(errs, field.Required(at.Index(i), ""))
			continue
		}
		resource, sub, _ := strings.Cut(r, "/")
		switch {
		case wholes[resource]:
			errs = append(errs, field.Invalid(at.Index(i), r, fmt.Sprintf("if '%s/*' is present, must not specify %s", resource, r)))
		case parts[sub]:
			errs = append(errs, field.Invalid(at.Index(i), r, fmt.Sprintf("if '*/%s' is present, must not specify %s", sub, r)))
		case seen[r]:
			errs = append(errs, field.Duplicate(at.Index(i), r))
		}
		seen[r] = true
		if sub == "*" {
			wholes[resource] = true
		}
		if resource == "*" && sub != "" {
			parts[sub] = true
		}
	}
	if len(list) > 1 && everything {
		errs = append(errs, field.Invalid(at, list, "if '*/*' is present, must not specify other resources"))
	}
	if slices.Contains(list, "*") && slices.ContainsFunc(list, func(r string) bool { return r != "*" && !strings.Contains(r, "/") }) {
		errs = append(errs, field.Invalid(at, list, "if '*' is present, must not specify other resources without subresources"))
	}
	return errs
}

// matching checks which requests a policy or binding is for.
func matching(m *v1.MatchResources, at *rule.Path, mutating bool) rule.ErrorList {
	var errs rule.ErrorList
	errs = append(errs, rule.LabelSelector(m.GetNamespaceSelector(), at.Child("namespaceSelector"))...)
	errs = append(errs, rule.LabelSelector(m.GetObjectSelector(), at.Child("objectSelector"))...)
	for _, e := range []struct {
		rules []*v1.NamedRuleWithOperations
		at    *rule.Path
	}{{m.GetResourceRules(), at.Child("resourceRules")}, {m.GetExcludeResourceRules(), at.Child("excludeResourceRules")}} {
		for i, r := range e.rules {
			for j, name := range r.ResourceNames {
				if slices.Contains(r.ResourceNames[:j], name) {
					errs = append(errs, field.Duplicate(e.at.Index(i).Child("resourceNames").Index(j), name))
				}
			}
			errs = append(errs, operations(r.GetRuleWithOperations(), e.at.Index(i), mutating)...)
		}
	}
	return errs
}

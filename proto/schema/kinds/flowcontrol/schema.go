package flowcontrol

import (
	"fmt"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

const (
	maxPrecedence = 10000
	// exempt names the schema and the level that are never held back.
	exempt = "exempt"
	all    = "*"
)

func messages(at *rule.Path, value string, list []string) rule.ErrorList {
	var errs rule.ErrorList
	for _, msg := range list {
		errs = append(errs, field.Invalid(at, value, msg))
	}
	return errs
}

func flowSchema(f, _ *flowcontrolv1.FlowSchema) rule.ErrorList {
	s, at := f.GetSpec(), field.NewPath("spec")
	var errs rule.ErrorList
	here := at.Child("matchingPrecedence")
	switch n := s.GetMatchingPrecedence(); {
	case n <= 0:
		errs = append(errs, field.Invalid(here, n, "must be a positive value"))
	case n > maxPrecedence:
		errs = append(errs, field.Invalid(here, n, fmt.Sprintf("must not be greater than %d", maxPrecedence)))
	case n == 1 && f.GetMetadata().GetName() != exempt:
		errs = append(errs, field.Invalid(here, n, "only the schema named 'exempt' may have matchingPrecedence 1"))
	}
	if m := s.GetDistinguisherMethod(); m != nil && m.Type != "ByUser" && m.Type != "ByNamespace" {
		errs = append(errs, field.NotSupported(at.Child("distinguisherMethod", "type"), m.Type, []string{"ByNamespace", "ByUser"}))
	}
	here = at.Child("priorityLevelConfiguration", "name")
	name := s.GetPriorityLevelConfiguration().GetName()
	if name == "" {
		return append(errs, field.Required(here, "must reference a priority level"))
	}
	return append(errs, messages(here, name, apivalidation.NameIsDNSSubdomain(name, false))...)
}

func rules(r *flowcontrolv1.PolicyRulesWithSubjects, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if len(r.Subjects) == 0 {
		errs = append(errs, field.Required(at.Child("subjects"), "subjects must contain at least one value"))
	}
	if len(r.ResourceRules) == 0 && len(r.NonResourceRules) == 0 {
		errs = append(errs, field.Required(at, "at least one of resourceRules and nonResourceRules has to be non-empty"))
	}
	return errs
}

func subject(s *flowcontrolv1.Subject, at *rule.Path) rule.ErrorList {
	members := []struct {
		kind, name string
		set        bool
		check      func(at *rule.Path) rule.ErrorList
	}{
		{"User", "user", s.User != nil, func(at *rule.Path) rule.ErrorList { return required(s.User.Name, at.Child("name"), "") }},
		{"Group", "group", s.Group != nil, func(at *rule.Path) rule.ErrorList { return required(s.Group.Name, at.Child("name"), "") }},
		{"ServiceAccount", "serviceAccount", s.ServiceAccount != nil, func(at *rule.Path) rule.ErrorList { return account(s.ServiceAccount, at) }},
	}
	var errs rule.ErrorList
	known := false
	for _, m := range members {
		here := at.Child(m.name)
		switch {
		case m.kind == s.Kind && !m.set:
			known = true
			errs = append(errs, field.Required(here, fmt.Sprintf("%s is required when subject kind is '%s'", m.name, m.kind)))
		case m.kind == s.Kind:
			known = true
			errs = append(errs, m.check(here)...)
		case m.set:
			errs = append(errs, field.Forbidden(here, fmt.Sprintf("%s is forbidden when subject kind is not '%s'", m.name, m.kind)))
		}
	}
	if !known {
		return rule.ErrorList{field.NotSupported(at.Child("kind"), s.Kind, []string{"Group", "ServiceAccount", "User"})}
	}
	return errs
}

func required(value string, at *rule.Path, detail string) rule.ErrorList {
	if value == "" {
		return rule.ErrorList{field.Required(at, detail)}
	}
	return nil
}

func account(a *flowcontrolv1.ServiceAccountSubject, at *rule.Path) rule.ErrorList {
	errs := required(a.Name, at.Child("name"), "")
	if a.Name != "" && a.Name != all {
		errs = append(errs, messages(at.Child("name"), a.Name, apivalidation.NameIsDNSSubdomain(a.Name, false))...)
	}
	if a.Namespace == "" {
		return append(errs, field.Required(at.Child("namespace"), "must specify namespace for service account"))
	}
	return append(errs, messages(at.Child("namespace"), a.Namespace, apivalidation.NameIsDNSLabel(a.Namespace, false))...)
}

var knownVerbs = []string{"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"}

// alone demands that "*" stands by itself.
func alone(list []string, at *rule.Path, what string) rule.ErrorList {
	if len(list) > 1 && slices.Contains(list, all) {
		return rule.ErrorList{field.Invalid(at, list, "if '*' is present, must not specify other "+what)}
	}
	return nil
}

func verbs(list []string, at *rule.Path) rule.ErrorList {
	if len(list) == 0 {
		return rule.ErrorList{field.Required(at, "verbs must contain at least one value")}
	}
	if slices.Contains(list, all) {
		return alone(list, at, "verbs")
	}
	for _, v := range list {
		if !slices.Contains(knownVerbs, v) {
			return rule.ErrorList{field.NotSupported(at, any(list), knownVerbs)}
		}
	}
	return nil
}

func resourceRule(r *flowcontrolv1.ResourcePolicyRule, at *rule.Path) rule.ErrorList {
	errs := verbs(r.Verbs, at.Child("verbs"))
	if len(r.ApiGroups) == 0 {
		errs = append(errs, field.Required(at.Child("apiGroups"), "resource rules must supply at least one api group"))
	}
	errs = append(errs, alone(r.ApiGroups, at.Child("apiGroups"), "api groups")...)
	if len(r.Resources) == 0 {
		errs = append(errs, field.Required(at.Child("resources"), "resource rules must supply at least one resource"))
	}
	errs = append(errs, alone(r.Resources, at.Child("resources"), "resources")...)
	at = at.Child("namespaces")
	switch {
	case len(r.Namespaces) == 0 && !r.ClusterScope:
		errs = append(errs, field.Required(at, "resource rules that are not cluster scoped must supply at least one namespace"))
	case slices.Contains(r.Namespaces, all):
		errs = append(errs, alone(r.Namespaces, at, "namespaces")...)
	default:
		for i, ns := range r.Namespaces {
			for _, msg := range apivalidation.NameIsDNSLabel(ns, false) {
				errs = append(errs, field.Invalid(at.Index(i), ns, "each member of this list must be '*' or a DNS-1123 label; "+msg))
			}
		}
	}
	return errs
}

func pathRule(r *flowcontrolv1.NonResourcePolicyRule, at *rule.Path) rule.ErrorList {
	errs := verbs(r.Verbs, at.Child("verbs"))
	at = at.Child("nonResourceURLs")
	switch {
	case len(r.NonResourceURLs) == 0:
		errs = append(errs, field.Required(at, "nonResourceURLs must contain at least one value"))
	case slices.Contains(r.NonResourceURLs, all):
		errs = append(errs, alone(r.NonResourceURLs, at, "non-resource URLs")...)
	default:
		for i, p := range r.NonResourceURLs {
			errs = append(errs, urlPath(p, at.Index(i))...)
		}
	}
	return errs
}

func urlPath(p string, at *rule.Path) rule.ErrorList {
	bad := func(detail string) rule.ErrorList { return rule.ErrorList{field.Invalid(at, p, detail)} }
	switch {
	case p == "":
		return bad("must not be empty")
	case p == "/":
		return nil
	case !strings.HasPrefix(p, "/"):
		return bad("must start with slash")
	case strings.Contains(p, " "):
		return bad("must not contain white-space")
	case strings.Contains(p, "//"):
		return bad("must not contain double slash")
	}
	if wild := strings.Index(p, "*"); wild >= 0 && (wild != len(p)-1 || p[wild-1] != '/') {
		return bad("wildcard can only do suffix matching")
	}
	return nil
}

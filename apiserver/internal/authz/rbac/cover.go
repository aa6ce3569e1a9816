package rbac

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
)

// Uncovered returns, atom by atom, what the granted rules allow and the owned ones do not. It is empty where somebody
// who owns the one may grant the other.
func Uncovered(owned, granted []*rbacv1.PolicyRule) []*rbacv1.PolicyRule {
	var missing []*rbacv1.PolicyRule
	for _, g := range granted {
		for _, a := range atoms(g) {
			if !slices.ContainsFunc(owned, func(o *rbacv1.PolicyRule) bool { return covers(o, a) }) {
				missing = append(missing, a)
			}
		}
	}
	return missing
}

// atoms breaks a rule into rules of one verb on one thing.
func atoms(r *rbacv1.PolicyRule) []*rbacv1.PolicyRule {
	var out []*rbacv1.PolicyRule
	for _, verb := range r.GetVerbs() {
		for _, url := range r.GetNonResourceURLs() {
			out = append(out, &rbacv1.PolicyRule{Verbs: []string{verb}, NonResourceURLs: []string{url}})
		}
		for _, group := range r.GetApiGroups() {
			for _, resource := range r.GetResources() {
				atom := func(names []string) *rbacv1.PolicyRule {
					return &rbacv1.PolicyRule{
						Verbs: []string{verb}, ApiGroups: []string{group}, Resources: []string{resource}, ResourceNames: names,
					}
				}
				if len(r.GetResourceNames()) == 0 {
					out = append(out, atom(nil))
				}
				for _, name := range r.GetResourceNames() {
					out = append(out, atom([]string{name}))
				}
			}
		}
	}
	return out
}

// covers tells whether one rule includes an atom, wildcards of the atom being covered by wildcards only.
func covers(owner, atom *rbacv1.PolicyRule) bool {
	if !has(owner.GetVerbs(), atom.Verbs[0]) {
		return false
	}
	if len(atom.NonResourceURLs) > 0 {
		return slices.ContainsFunc(owner.GetNonResourceURLs(), func(have string) bool {
			prefix, wild := strings.CutSuffix(have, all)
			return have == atom.NonResourceURLs[0] || wild && strings.HasPrefix(atom.NonResourceURLs[0], prefix)
		})
	}
	if !has(owner.GetApiGroups(), atom.ApiGroups[0]) || !hasResource(owner.GetResources(), atom.Resources[0]) {
		return false
	}
	if len(owner.GetResourceNames()) == 0 {
		return true
	}
	return len(atom.ResourceNames) == 1 && slices.Contains(owner.GetResourceNames(), atom.ResourceNames[0])
}

func has(set []string, s string) bool {
	return slices.Contains(set, all) || slices.Contains(set, s)
}

func hasResource(set []string, s string) bool {
	if has(set, s) {
		return true
	}
	_, sub, ok := strings.Cut(s, "/")
	return ok && slices.Contains(set, all+"/"+sub)
}

// Compact merges atoms that differ in their verb alone and orders the result by its text, for a message to be read.
func Compact(rules []*rbacv1.PolicyRule) []string {
	type key struct{ groups, resources, names, urls string }
	var order []key
	merged := make(map[key]*rbacv1.PolicyRule)
	join := func(s []string) string { return strings.Join(s, "\x00") }
	for _, r := range rules {
		k := key{join(r.GetApiGroups()), join(r.GetResources()), join(r.GetResourceNames()), join(r.GetNonResourceURLs())}
		m := merged[k]
		if m == nil {
			m = &rbacv1.PolicyRule{
				ApiGroups: r.GetApiGroups(), Resources: r.GetResources(), ResourceNames: r.GetResourceNames(),
				NonResourceURLs: r.GetNonResourceURLs(),
			}
			merged[k] = m
			order = append(order, k)
		}
		for _, v := range r.GetVerbs() {
			if !slices.Contains(m.Verbs, v) {
				m.Verbs = append(m.Verbs, v)
			}
		}
	}
	var out []string
	for _, k := range order {
		out = append(out, format(merged[k]))
	}
	slices.Sort(out)
	return out
}

// format writes a rule as Kubernetes does in its messages.
func format(r *rbacv1.PolicyRule) string {
	var parts []string
	part := func(name string, values []string) {
		if len(values) > 0 {
			parts = append(parts, fmt.Sprintf("%s:%s", name, quote(values)))
		}
	}
	part("APIGroups", r.GetApiGroups())
	part("Resources", r.GetResources())
	part("ResourceNames", r.GetResourceNames())
	part("NonResourceURLs", r.GetNonResourceURLs())
	part("Verbs", r.GetVerbs())
	return "{" + strings.Join(parts, ", ") + "}"
}

func quote(values []string) string {
	return "[" + strings.Join(mapStrings(values, func(s string) string { return fmt.Sprintf("%q", s) }), ", ") + "]"
}

func mapStrings(in []string, f func(string) string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = f(s)
	}
	return out
}

package rbac

import (
	"strings"

	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
)

// all is the wildcard of every field of a rule.
const all = "*"

// verbBit gives the verbs that are asked all the time a bit each; 0 for others.
func verbBit(verb string) uint32 {
	switch verb {
	case "get":
		return 1 << 0
	case "list":
		return 1 << 1
	case "watch":
		return 1 << 2
	case "create":
		return 1 << 3
	case "update":
		return 1 << 4
	case "patch":
		return 1 << 5
	case "delete":
		return 1 << 6
	case "deletecollection":
		return 1 << 7
	case "post":
		return 1 << 8
	case "put":
		return 1 << 9
	case "head":
		return 1 << 10
	case "options":
		return 1 << 11
	case "impersonate":
		return 1 << 12
	case "bind":
		return 1 << 13
	case "escalate":
		return 1 << 14
	case "use":
		return 1 << 15
	}
	return 0
}

// verbs is a set of verbs.
type verbs struct {
	bits  uint32
	other []string
}

const allVerbs = ^uint32(0)

func compileVerbs(list []string) verbs {
	var v verbs
	for _, verb := range list {
		if verb == all {
			return verbs{bits: allVerbs}
		}
		if bit := verbBit(verb); bit != 0 {
			v.bits |= bit
		} else {
			v.other = append(v.other, verb)
		}
	}
	return v
}

func (v verbs) has(verb string, bit uint32) bool {
	if v.bits == allVerbs {
		return true
	}
	if bit != 0 {
		return v.bits&bit != 0
	}
	for _, o := range v.other {
		if o == verb {
			return true
		}
	}
	return false
}

// Query is a question about one request. For a path Resource is empty.
type Query struct {
	Verb, Group, Resource, Subresource, Namespace, Name, Path string
	bit                                                       uint32
}

// target is what a rule speaks of. Any of the strings may be the wildcard; a resource that is the wildcard with no
// subresource stands for every resource and every subresource.
type target struct{ group, resource, subresource string }

// grant is what a rule allows on its target; no names means all.
type grant struct {
	verbs verbs
	names []string
}

func (g *grant) allows(q *Query) bool {
	if !g.verbs.has(q.Verb, q.bit) {
		return false
	}
	if len(g.names) == 0 {
		return true
	}
	if q.Name == "" {
		return false
	}
	for _, n := range g.names {
		if n == q.Name {
			return true
		}
	}
	return false
}

// pathGrant is what a rule allows on a URL path, or with prefix on everything that starts with it.
type pathGrant struct {
	verbs  verbs
	path   string
	prefix bool
}

// Rules are the compiled rules of one role. They do not change.
type Rules struct {
	grants map[target][]grant
	// anyGroup, anyResource and anyParent say which wildcards occur at all, so that the others are not looked up.
	anyGroup, anyResource, anyParent bool
	paths                            []pathGrant
	raw                              []*rbacv1.PolicyRule
}

// Compile prepares rules for being asked.
func Compile(list []*rbacv1.PolicyRule) *Rules {
	r := &Rules{grants: make(map[target][]grant), raw: list}
	for _, rule := range list {
		v := compileVerbs(rule.GetVerbs())
		for _, url := range rule.GetNonResourceURLs() {
			p, prefix := strings.CutSuffix(url, all)
			r.paths = append(r.paths, pathGrant{verbs: v, path: p, prefix: prefix})
		}
		g := grant{verbs: v, names: rule.GetResourceNames()}
		for _, group := range rule.GetApiGroups() {
			r.anyGroup = r.anyGroup || group == all
			for _, resource := range rule.GetResources() {
				parent, sub, _ := strings.Cut(resource, "/")
				if parent == all {
					r.anyResource = r.anyResource || sub == ""
					r.anyParent = r.anyParent || sub != ""
				}
				r.add(target{group, parent, sub}, g)
			}
		}
	}
	return r
}

// add keeps one grant where two have the same names: without names, that is, which is nearly always.
func (r *Rules) add(t target, g grant) {
	have := r.grants[t]
	if len(g.names) == 0 {
		for i := range have {
			if len(have[i].names) != 0 {
				continue
			}
			have[i].verbs.bits |= g.verbs.bits
			have[i].verbs.other = append(have[i].verbs.other[:len(have[i].verbs.other):len(have[i].verbs.other)], g.verbs.other...)
			return
		}
	}
	r.grants[t] = append(have, g)
}

// Allow tells whether the rules allow what is asked.
func (r *Rules) Allow(q Query) bool {
	q.bit = verbBit(q.Verb)
	return r.allow(&q)
}

func (r *Rules) allow(q *Query) bool {
	if q.Resource == "" {
		return r.allowPath(q)
	}
	if len(r.grants) == 0 {
		return false
	}
	if r.allowIn(q.Group, q) {
		return true
	}
	return r.anyGroup && r.allowIn(all, q)
}

func (r *Rules) allowIn(group string, q *Query) bool {
	if r.allowTarget(target{group, q.Resource, q.Subresource}, q) {
		return true
	}
	if r.anyResource && r.allowTarget(target{group, all, ""}, q) {
		return true
	}
	return r.anyParent && q.Subresource != "" && r.allowTarget(target{group, all, q.Subresource}, q)
}

func (r *Rules) allowTarget(t target, q *Query) bool {
	grants := r.grants[t]
	for i := range grants {
		if grants[i].allows(q) {
			return true
		}
	}
	return false
}

func (r *Rules) allowPath(q *Query) bool {
	for i := range r.paths {
		p := &r.paths[i]
		if p.path != q.Path && !(p.prefix && strings.HasPrefix(q.Path, p.path)) {
			continue
		}
		if p.verbs.has(q.Verb, q.bit) {
			return true
		}
	}
	return false
}

package fairness

import (
	"cmp"
	"slices"
	"strings"

	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// all matches everything where it stands in a rule.
const all = "*"

// Ways to tell flows apart.
const (
	byUser      = "ByUser"
	byNamespace = "ByNamespace"
)

// schema is a FlowSchema as the limiter uses it.
type schema struct {
	name, uid  string
	precedence int32
	by         string
	rules      []rule
	level      *level
	// hash goes into that of each of its flows: the same user is another flow on another schema.
	hash  uint64
	stats *schemaStats
}

type rule struct {
	users, groups []string
	accounts      []account
	everybody     bool
	resources     []resourceRule
	paths         []pathRule
}

type account struct{ namespace, name string }

type resourceRule struct {
	verbs, groups, resources, namespaces set
	cluster                              bool
}

type pathRule struct {
	verbs set
	paths []string
	any   bool
}

// set is a list of a rule. Rules are short: comparing beats hashing.
type set struct {
	any    bool
	values []string
}

func newSet(values []string) set {
	return set{any: slices.Contains(values, all), values: values}
}

func (s set) has(v string) bool { return s.any || slices.Contains(s.values, v) }

// compileSchema reads an object. Its level is found later.
func compileSchema(o *flowcontrolv1.FlowSchema) *schema {
	s := &schema{name: o.GetMetadata().GetName(), uid: o.GetMetadata().GetUid(), precedence: o.GetSpec().GetMatchingPrecedence(),
		by: o.GetSpec().GetDistinguisherMethod().GetType()}
	for _, in := range o.GetSpec().GetRules() {
		r := rule{}
		for _, sub := range in.GetSubjects() {
			r.subject(sub)
		}
		for _, rr := range in.GetResourceRules() {
			r.resources = append(r.resources, resourceRule{verbs: newSet(rr.GetVerbs()), groups: newSet(rr.GetApiGroups()),
				resources: newSet(rr.GetResources()), namespaces: newSet(rr.GetNamespaces()), cluster: rr.GetClusterScope()})
		}
		for _, nr := range in.GetNonResourceRules() {
			r.paths = append(r.paths, pathRule{verbs: newSet(nr.GetVerbs()), paths: nr.GetNonResourceURLs(),
				any: slices.Contains(nr.GetNonResourceURLs(), all)})
		}
		s.rules = append(s.rules, r)
	}
	return s
}

func (r *rule) subject(s *flowcontrolv1.Subject) {
	switch s.GetKind() {
	case "User":
		r.everybody = r.everybody || s.GetUser().GetName() == all
		r.users = append(r.users, s.GetUser().GetName())
	case "Group":
		r.everybody = r.everybody || s.GetGroup().GetName() == all
		r.groups = append(r.groups, s.GetGroup().GetName())
	case "ServiceAccount":
		r.accounts = append(r.accounts, account{s.GetServiceAccount().GetNamespace(), s.GetServiceAccount().GetName()})
	}
}

// matches tells whether the schema is for the request.
func (s *schema) matches(r *Request) bool {
	for i := range s.rules {
		if s.rules[i].asks(r) && s.rules[i].by(r.User) {
			return true
		}
	}
	return false
}

func (r *rule) by(u *identity.User) bool {
	if r.everybody || slices.Contains(r.users, u.Name) {
		return true
	}
	for _, g := range r.groups {
		if u.InGroup(g) {
			return true
		}
	}
	if len(r.accounts) == 0 {
		return false
	}
	rest, ok := strings.CutPrefix(u.Name, identity.ServiceAccountPrefix)
	if !ok {
		return false
	}
	namespace, name, ok := strings.Cut(rest, ":")
	return ok && slices.ContainsFunc(r.accounts, func(a account) bool {
		return a.namespace == namespace && (a.name == all || a.name == name)
	})
}

func (r *rule) asks(q *Request) bool {
	if q.Path != "" {
		return slices.ContainsFunc(r.paths, func(p pathRule) bool { return p.verbs.has(q.Verb) && p.matches(q.Path) })
	}
	for i := range r.resources {
		if r.resources[i].matches(q) {
			return true
		}
	}
	return false
}

func (r *resourceRule) matches(q *Request) bool {
	if !r.verbs.has(q.Verb) || !r.groups.has(q.Group) || !r.matchesResource(q) {
		return false
	}
	if q.Namespace == "" {
		return r.cluster
	}
	return r.namespaces.has(q.Namespace)
}

// matchesResource compares "pods" or "pods/status" without joining them first.
func (r *resourceRule) matchesResource(q *Request) bool {
	if q.Subresource == "" || r.resources.any {
		return r.resources.has(q.Resource)
	}
	return slices.ContainsFunc(r.resources.values, func(v string) bool {
		rest, ok := strings.CutPrefix(v, q.Resource)
		return ok && len(rest) == len(q.Subresource)+1 && rest[0] == '/' && rest[1:] == q.Subresource
	})
}

// matches compares a path with "/healthz" and "/apis/*": the latter stands for what is below, at any depth.
func (p *pathRule) matches(path string) bool {
	return p.any || slices.ContainsFunc(p.paths, func(v string) bool {
		prefix, deep := strings.CutSuffix(v, "*")
		return v == path || deep && strings.HasSuffix(prefix, "/") && strings.HasPrefix(path, prefix)
	})
}

// flow is what tells the request's flow from others of the schema.
func (s *schema) flow(r *Request) string {
	switch s.by {
	case byUser:
		return r.User.Name
	case byNamespace:
		return r.Namespace
	}
	return ""
}

// sortSchemas puts them in the order in which they are asked.
func sortSchemas(all []*schema) {
	slices.SortFunc(all, func(a, b *schema) int {
		return cmp.Or(cmp.Compare(a.precedence, b.precedence), strings.Compare(a.name, b.name))
	})
}

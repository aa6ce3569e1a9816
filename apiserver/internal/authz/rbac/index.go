package rbac

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Group is the API group of the four kinds.
const Group = "rbac.authorization.k8s.io"

// Kinds of subjects.
const (
	kindUser           = "User"
	kindGroup          = "Group"
	kindServiceAccount = "ServiceAccount"
)

// objectKey names a role or a binding; the namespace is empty for the cluster-wide ones.
type objectKey struct{ namespace, name string }

// roleEntry is a role that exists, or that a binding refers to.
type roleEntry struct {
	key objectKey
	// rules is nil while the role does not exist.
	rules *Rules
	// bindings counts who refers to it: an entry without rules goes with its last binding.
	bindings int
}

// describe names the role as Kubernetes does where it is missing.
func (r *roleEntry) describe() string {
	if r.key.namespace == "" {
		return fmt.Sprintf("clusterrole.%s %q not found", Group, r.key.name)
	}
	return fmt.Sprintf("role.%s %q not found", Group, r.key.name)
}

// link is what a binding gives to one of its subjects.
type link struct {
	role *roleEntry
	// reason is what audit and `kubectl auth can-i` show.
	reason string
	from   *bindingEntry
}

// bindingEntry remembers where a binding is linked, to take it out again.
type bindingEntry struct {
	namespace string
	role      *roleEntry
	users     []string
	groups    []string
}

// subject is a user or a group that bindings name.
type subject struct {
	cluster    []link
	namespaces map[string][]link
}

// Index holds the cluster's roles and bindings, ready to be asked. It is safe for concurrent use.
type Index struct {
	mu       sync.RWMutex
	users    map[string]*subject
	groups   map[string]*subject
	roles    map[objectKey]*roleEntry
	bindings map[objectKey]*bindingEntry
}

// NewIndex returns an empty index, which allows nothing.
func NewIndex() *Index {
	return &Index{
		users:    make(map[string]*subject),
		groups:   make(map[string]*subject),
		roles:    make(map[objectKey]*roleEntry),
		bindings: make(map[objectKey]*bindingEntry),
	}
}

// SetRole stores the rules of a Role, or with an empty namespace of a ClusterRole. The index keeps the slice.
func (x *Index) SetRole(namespace, name string, rules []*rbacv1.PolicyRule) {
	compiled := Compile(rules)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.roleLocked(objectKey{namespace, name}).rules = compiled
}

// DeleteRole forgets a role; its bindings stay and give nothing.
func (x *Index) DeleteRole(namespace, name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	key := objectKey{namespace, name}
	if r := x.roles[key]; r != nil {
		r.rules = nil
		x.releaseLocked(r)
	}
}

func (x *Index) roleLocked(key objectKey) *roleEntry {
	r := x.roles[key]
	if r == nil {
		r = &roleEntry{key: key}
		x.roles[key] = r
	}
	return r
}

func (x *Index) releaseLocked(r *roleEntry) {
	if r.rules == nil && r.bindings == 0 {
		delete(x.roles, r.key)
	}
}

// SetBinding stores a RoleBinding, or with an empty namespace a ClusterRoleBinding.
func (x *Index) SetBinding(namespace, name string, ref *rbacv1.RoleRef, subjects []*rbacv1.Subject) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.deleteBindingLocked(objectKey{namespace, name})
	roleKey := objectKey{name: ref.GetName()}
	if ref.GetKind() == "Role" {
		roleKey.namespace = namespace
	}
	b := &bindingEntry{namespace: namespace, role: x.roleLocked(roleKey)}
	b.role.bindings++
	x.bindings[objectKey{namespace, name}] = b
	what := fmt.Sprintf("ClusterRoleBinding %q", name)
	if namespace != "" {
		what = fmt.Sprintf("RoleBinding %q", name+"/"+namespace)
	}
	for _, s := range subjects {
		l := link{role: b.role, from: b}
		reason := func(kind, who string) string {
			return fmt.Sprintf("RBAC: allowed by %s of %s %q to %s %q", what, ref.GetKind(), ref.GetName(), kind, who)
		}
		switch s.GetKind() {
		case kindUser:
			l.reason = reason(kindUser, s.GetName())
			b.users = append(b.users, s.GetName())
			x.linkLocked(x.users, s.GetName(), namespace, l)
		case kindGroup:
			l.reason = reason(kindGroup, s.GetName())
			b.groups = append(b.groups, s.GetName())
			x.linkLocked(x.groups, s.GetName(), namespace, l)
		case kindServiceAccount:
			ns := s.GetNamespace()
			if ns == "" {
				ns = namespace
			}
			if ns == "" {
				continue // names nobody
			}
			l.reason = reason(kindServiceAccount, s.GetName()+"/"+ns)
			user := identity.ServiceAccountPrefix + ns + ":" + s.GetName()
			b.users = append(b.users, user)
			x.linkLocked(x.users, user, namespace, l)
		}
	}
}

func (x *Index) linkLocked(in map[string]*subject, name, namespace string, l link) {
	s := in[name]
	if s == nil {
		s = &subject{}
		in[name] = s
	}
	if namespace == "" {
		s.cluster = append(s.cluster, l)
		return
	}
	if s.namespaces == nil {
		s.namespaces = make(map[string][]link)
	}
	s.namespaces[namespace] = append(s.namespaces[namespace], l)
}

// DeleteBinding forgets a binding.
func (x *Index) DeleteBinding(namespace, name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.deleteBindingLocked(objectKey{namespace, name})
}

func (x *Index) deleteBindingLocked(key objectKey) {
	b := x.bindings[key]
	if b == nil {
		return
	}
	delete(x.bindings, key)
	b.role.bindings--
	x.releaseLocked(b.role)
	unlink := func(in map[string]*subject, names []string) {
		for _, name := range names {
			s := in[name]
			if s == nil {
				continue
			}
			mine := func(l link) bool { return l.from == b }
			if b.namespace == "" {
				s.cluster = slices.DeleteFunc(s.cluster, mine)
			} else if left := slices.DeleteFunc(s.namespaces[b.namespace], mine); len(left) == 0 {
				delete(s.namespaces, b.namespace)
			} else {
				s.namespaces[b.namespace] = left
			}
			if len(s.cluster) == 0 && len(s.namespaces) == 0 {
				delete(in, name)
			}
		}
	}
	unlink(x.users, b.users)
	unlink(x.groups, b.groups)
}

// Allow tells whether the user's roles allow what is asked, and by which binding; where they do not, the reason names
// roles that bindings of the user refer to and that do not exist.
func (x *Index) Allow(u *identity.User, q Query) (allowed bool, reason string) {
	q.bit = verbBit(q.Verb)
	x.mu.RLock()
	defer x.mu.RUnlock()
	var missing []*roleEntry
	if reason, ok := allowSubject(x.users[u.Name], &q, &missing); ok {
		return true, reason
	}
	for _, g := range u.Groups {
		if reason, ok := allowSubject(x.groups[g], &q, &missing); ok {
			return true, reason
		}
	}
	return false, describeMissing(missing)
}

func allowSubject(s *subject, q *Query, missing *[]*roleEntry) (reason string, ok bool) {
	if s == nil {
		return "", false
	}
	if reason, ok := allowLinks(s.cluster, q, missing); ok {
		return reason, true
	}
	if q.Namespace == "" || s.namespaces == nil || q.Resource == "" {
		return "", false
	}
	return allowLinks(s.namespaces[q.Namespace], q, missing)
}

func allowLinks(links []link, q *Query, missing *[]*roleEntry) (reason string, ok bool) {
	for i := range links {
		rules := links[i].role.rules
		if rules == nil {
			*missing = append(*missing, links[i].role)
			continue
		}
		if rules.allow(q) {
			return links[i].reason, true
		}
	}
	return "", false
}

func describeMissing(missing []*roleEntry) string {
	if len(missing) == 0 {
		return ""
	}
	var names []string
	for _, r := range missing {
		if d := r.describe(); !slices.Contains(names, d) {
			names = append(names, d)
		}
	}
	if len(names) == 1 {
		return "RBAC: " + names[0]
	}
	return "RBAC: [" + strings.Join(names, ", ") + "]"
}

// RulesFor returns the rules that apply to the user in a namespace, as they stand in the roles, and the names of
// missing roles.
func (x *Index) RulesFor(u *identity.User, namespace string) (rules []*rbacv1.PolicyRule, missing []string) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	collect := func(links []link) {
		for i := range links {
			if r := links[i].role; r.rules != nil {
				rules = append(rules, r.rules.raw...)
			} else {
				missing = append(missing, r.describe())
			}
		}
	}
	visit := func(s *subject) {
		if s == nil {
			return
		}
		collect(s.cluster)
		if namespace != "" {
			collect(s.namespaces[namespace])
		}
	}
	visit(x.users[u.Name])
	for _, g := range u.Groups {
		visit(x.groups[g])
	}
	return rules, missing
}

// RoleRules returns the rules of a Role, or with an empty namespace of a ClusterRole.
func (x *Index) RoleRules(namespace, name string) (rules []*rbacv1.PolicyRule, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	r := x.roles[objectKey{namespace, name}]
	if r == nil || r.rules == nil {
		return nil, false
	}
	return r.rules.raw, true
}

package hook

import (
	"context"
	"errors"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

var errNoMetadata = errors.New("the object has no metadata")

// Match says which requests a hook is for.
type Match struct {
	namespaces, objects labels.Selector
	rules, except       []rule
	// everything matches whatever rules do not except.
	everything bool
	exact      bool
}

type rule struct {
	*v1.RuleWithOperations
	names []string
}

// Webhook is the common part of both kinds of webhooks.
type Webhook interface {
	GetRules() []*v1.RuleWithOperations
	GetMatchPolicy() string
	GetNamespaceSelector() *metav1.LabelSelector
	GetObjectSelector() *metav1.LabelSelector
}

// ForWebhook compiles the match of a webhook.
func ForWebhook(w Webhook) (*Match, error) {
	m := &Match{exact: w.GetMatchPolicy() == "Exact"}
	for _, r := range w.GetRules() {
		m.rules = append(m.rules, rule{RuleWithOperations: r})
	}
	return m, m.selectors(w.GetNamespaceSelector(), w.GetObjectSelector())
}

// ForPolicy compiles the match of a policy or of a binding; nil matches everything.
func ForPolicy(r *v1.MatchResources) (*Match, error) {
	m := &Match{exact: r.GetMatchPolicy() == "Exact", everything: len(r.GetResourceRules()) == 0}
	for _, n := range r.GetResourceRules() {
		m.rules = append(m.rules, rule{n.GetRuleWithOperations(), n.GetResourceNames()})
	}
	for _, n := range r.GetExcludeResourceRules() {
		m.except = append(m.except, rule{n.GetRuleWithOperations(), n.GetResourceNames()})
	}
	return m, m.selectors(r.GetNamespaceSelector(), r.GetObjectSelector())
}

func (m *Match) selectors(namespaces, objects *metav1.LabelSelector) (err error) {
	if m.namespaces, err = Selector(namespaces); err == nil {
		m.objects, err = Selector(objects)
	}
	return err
}

// Selector compiles a label selector; nil selects everything.
func Selector(s *metav1.LabelSelector) (labels.Selector, error) {
	out := labels.NewSelector()
	for k, v := range s.GetMatchLabels() {
		r, err := labels.NewRequirement(k, selection.Equals, []string{v})
		if err != nil {
			return nil, err
		}
		out = out.Add(*r)
	}
	operators := map[string]selection.Operator{"In": selection.In, "NotIn": selection.NotIn, "Exists": selection.Exists, "DoesNotExist": selection.DoesNotExist}
	for _, e := range s.GetMatchExpressions() {
		r, err := labels.NewRequirement(e.Key, operators[e.Operator], e.Values)
		if err != nil {
			return nil, err
		}
		out = out.Add(*r)
	}
	return out, nil
}

// Of tells whether the hook is for a request, and in which version of the kind it wants to see it; nil is not.
func (m *Match) Of(ctx context.Context, s *Subject) (*schema.Kind, error) {
	// What costs nothing is looked at first.
	if k, _ := first(m.except, s, m.exact); k != nil {
		return nil, nil
	}
	k := s.R.Kind
	if !m.everything {
		if k, _ = first(m.rules, s, m.exact); k == nil {
			return nil, nil
		}
	}
	if !m.object(s) {
		return nil, nil
	}
	ok, err := m.namespace(ctx, s)
	if err != nil || !ok {
		return nil, err
	}
	return k, nil
}

// namespace looks at the labels of the namespace; cluster-scoped objects are never left out by them.
func (m *Match) namespace(ctx context.Context, s *Subject) (bool, error) {
	if m.namespaces.Empty() || s.R.Namespace == "" && !s.aboutNamespace() {
		return true, nil
	}
	have, err := s.namespaceLabels(ctx)
	if err != nil {
		return false, err
	}
	return m.namespaces.Matches(labels.Set(have)), nil
}

// object looks at the labels of the object as it is to be and as it was: either suffices.
func (m *Match) object(s *Subject) bool {
	if m.objects.Empty() {
		return true
	}
	if s.R.Object != nil && m.objects.Matches(labels.Set(s.R.Object.GetMetadata().GetLabels())) {
		return true
	}
	return s.R.Old != nil && m.objects.Matches(labels.Set(s.R.Old.GetMetadata().GetLabels()))
}

// first finds a rule for the request, else, unless exact, for another version of its kind.
func first(rules []rule, s *Subject, exact bool) (*schema.Kind, bool) {
	for _, r := range rules {
		if r.matches(s, s.R.Kind) {
			return s.R.Kind, true
		}
	}
	if exact || len(rules) == 0 {
		return nil, false
	}
	for _, r := range rules {
		if !r.operation(s) || !r.scope(s) || !r.named(s) {
			continue // no version helps
		}
		for _, k := range equivalents(s) {
			if r.matches(s, k) {
				return k, true
			}
		}
	}
	return nil, false
}

// equivalents are the other kinds whose objects are the same ones.
func equivalents(s *Subject) []*schema.Kind {
	var out []*schema.Kind
	if s.R.Kind.Ephemeral {
		return nil
	}
	for _, k := range s.Host.Registry().Kinds() {
		if k != s.R.Kind && k.Served && !k.Ephemeral && k.StoragePath == s.R.Kind.StoragePath {
			out = append(out, k)
		}
	}
	return out
}

func (r rule) matches(s *Subject, k *schema.Kind) bool {
	q := r.GetRule()
	return has(q.GetApiGroups(), k.Group) && has(q.GetApiVersions(), k.Version) && r.resource(k.Plural, s.R.Subresource) &&
		r.operation(s) && r.scope(s) && r.named(s)
}

func has(list []string, value string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, value)
}

func (r rule) operation(s *Subject) bool { return has(r.GetOperations(), string(s.R.Operation)) }

func (r rule) resource(resource, sub string) bool {
	for _, want := range r.GetRule().GetResources() {
		res, part, _ := strings.Cut(want, "/")
		if (res == "*" || res == resource) && (part == "*" || part == sub) {
			return true
		}
	}
	return false
}

func (r rule) scope(s *Subject) bool {
	switch r.GetRule().GetScope() {
	case "Namespaced":
		return s.R.Namespace != "" && !s.aboutNamespace()
	case "Cluster":
		return s.R.Namespace == "" || s.aboutNamespace()
	}
	return true
}

func (r rule) named(s *Subject) bool { return len(r.names) == 0 || slices.Contains(r.names, s.Name()) }

package interpod

import (
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

	"github.com/keelson/keelson/scheduler/internal/state"
)

// Selector compiles a label selector. A nil selector matches nothing, an empty one everything.
func Selector(s *metav1.LabelSelector) labels.Selector {
	if s == nil {
		return labels.Nothing()
	}
	out := labels.NewSelector()
	add := func(key string, op selection.Operator, values []string) bool {
		r, err := labels.NewRequirement(key, op, values)
		if err != nil {
			return false
		}
		out = out.Add(*r)
		return true
	}
	for k, v := range s.GetMatchLabels() {
		if !add(k, selection.Equals, []string{v}) {
			return labels.Nothing()
		}
	}
	operators := map[string]selection.Operator{
		"In": selection.In, "NotIn": selection.NotIn, "Exists": selection.Exists, "DoesNotExist": selection.DoesNotExist,
	}
	for _, e := range s.GetMatchExpressions() {
		op, ok := operators[e.GetOperator()]
		if !ok || !add(e.GetKey(), op, e.GetValues()) {
			return labels.Nothing()
		}
	}
	return out
}

// term is a compiled pod affinity term of the pods of one class.
type term struct {
	selector   labels.Selector
	namespaces []string        // by name
	byLabels   labels.Selector // and by the namespace's labels; nil: by name only
	key        string
}

// compile reads a term; namespace and own labels are those of the pod that has it.
func compile(t *corev1.PodAffinityTerm, namespace string, own map[string]string) term {
	selector := Selector(t.GetLabelSelector())
	for _, k := range t.GetMatchLabelKeys() {
		if v, ok := own[k]; ok {
			selector = require(selector, k, selection.In, v)
		}
	}
	for _, k := range t.GetMismatchLabelKeys() {
		if v, ok := own[k]; ok {
			selector = require(selector, k, selection.NotIn, v)
		}
	}
	out := term{selector: selector, namespaces: t.GetNamespaces(), key: t.GetTopologyKey()}
	if t.GetNamespaceSelector() != nil {
		out.byLabels = Selector(t.GetNamespaceSelector())
	} else if len(out.namespaces) == 0 {
		out.namespaces = []string{namespace}
	}
	return out
}

func require(s labels.Selector, key string, op selection.Operator, value string) labels.Selector {
	r, err := labels.NewRequirement(key, op, []string{value})
	if err != nil {
		return labels.Nothing()
	}
	return s.Add(*r)
}

// matches tells whether a pod of the namespace with the labels is meant by the term.
func (t *term) matches(s *state.State, namespace string, l map[string]string) bool {
	if !slices.Contains(t.namespaces, namespace) &&
		(t.byLabels == nil || !t.byLabels.Matches(labels.Set(s.NamespaceLabels(namespace)))) {
		return false
	}
	return t.selector.Matches(labels.Set(l))
}

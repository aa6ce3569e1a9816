// Package selector matches label selectors against labels. Controllers compile a selector once for each pass and apply
// it to many objects, so matching allocates nothing.
package selector

import (
	"fmt"
	"slices"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Selector is a compiled label selector. The zero value matches nothing, as an absent selector does in Kubernetes.
type Selector struct {
	requirements []requirement
	everything   bool
}

type requirement struct {
	key    string
	op     string
	values []string
}

// Operators of a label selector's expressions.
const (
	opIn           = "In"
	opNotIn        = "NotIn"
	opExists       = "Exists"
	opDoesNotExist = "DoesNotExist"
)

// Compile translates an API selector. A nil selector matches nothing, an empty one everything. The error names an
// operator that does not exist.
func Compile(s *metav1.LabelSelector) (Selector, error) {
	if s == nil {
		return Selector{}, nil
	}
	out := FromMap(s.MatchLabels)
	for _, e := range s.MatchExpressions {
		switch e.Operator {
		case opIn, opNotIn, opExists, opDoesNotExist:
		default:
			return Selector{}, fmt.Errorf("%q is not a valid label selector operator", e.Operator)
		}
		out.requirements = append(out.requirements, requirement{key: e.Key, op: e.Operator, values: e.Values})
	}
	out.everything = len(out.requirements) == 0
	return out, nil
}

// FromMap is the selector of the old style: every pair must be there. An empty map matches everything.
func FromMap(m map[string]string) Selector {
	out := Selector{requirements: make([]requirement, 0, len(m)), everything: len(m) == 0}
	for k, v := range m {
		out.requirements = append(out.requirements, requirement{key: k, op: opIn, values: []string{v}})
	}
	return out
}

// Matches reports whether labels satisfy every requirement.
func (s Selector) Matches(labels map[string]string) bool {
	if s.everything {
		return true
	}
	if len(s.requirements) == 0 {
		return false
	}
	for _, r := range s.requirements {
		if !r.matches(labels) {
			return false
		}
	}
	return true
}

// Everything reports whether the selector has no requirement at all. Controllers refuse to act on such a selector: it
// would claim every pod of the namespace.
func (s Selector) Everything() bool { return s.everything }

// Nothing reports whether the selector is that of an object without one. A controller that acted on it would let go of
// what it has just created, again and again.
func (s Selector) Nothing() bool { return !s.everything && len(s.requirements) == 0 }

func (r requirement) matches(labels map[string]string) bool {
	value, ok := labels[r.key]
	switch r.op {
	case opIn:
		return ok && slices.Contains(r.values, value)
	case opNotIn:
		return !ok || !slices.Contains(r.values, value)
	case opExists:
		return ok
	default:
		return !ok
	}
}

package selector

import (
	"fmt"
	"slices"
	"strconv"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Operator of a requirement.
type Operator uint8

// Operators of label selectors.
const (
	In Operator = iota + 1
	NotIn
	Exists
	Absent
	GreaterThan
	LessThan
)

// Requirement is one term of a label selector.
type Requirement struct {
	Key      string
	Operator Operator
	// Values of In and NotIn are sorted; GreaterThan and LessThan have one, an integer.
	Values []string
	number int64
}

// Labels are requirements that must all hold. Nil matches everything.
type Labels []Requirement

// Lookup returns the value of a label.
type Lookup func(key string) (string, bool)

// Matches tells whether all requirements hold.
func (l Labels) Matches(label Lookup) bool {
	for i := range l {
		if !l[i].matches(label) {
			return false
		}
	}
	return true
}

func (r *Requirement) matches(label Lookup) bool {
	v, has := label(r.Key)
	switch r.Operator {
	case In:
		return has && r.has(v)
	case NotIn:
		return !has || !r.has(v)
	case Exists:
		return has
	case Absent:
		return !has
	case GreaterThan, LessThan:
		n, err := strconv.ParseInt(v, 10, 64)
		if !has || err != nil {
			return false
		}
		return r.Operator == GreaterThan && n > r.number || r.Operator == LessThan && n < r.number
	}
	return false
}

func (r *Requirement) has(v string) bool {
	if len(r.Values) == 1 {
		return r.Values[0] == v
	}
	_, ok := slices.BinarySearch(r.Values, v)
	return ok
}

// Of returns the selector that a LabelSelector message says. A nil message selects nothing, an empty one everything,
// as everywhere in Kubernetes.
func Of(s *metav1.LabelSelector) (l Labels, nothing bool, err error) {
	if s == nil {
		return nil, true, nil
	}
	for k, v := range s.GetMatchLabels() {
		l = append(l, Requirement{Key: k, Operator: In, Values: []string{v}})
	}
	for _, e := range s.GetMatchExpressions() {
		r := Requirement{Key: e.GetKey(), Values: slices.Sorted(slices.Values(e.GetValues()))}
		switch e.GetOperator() {
		case "In":
			r.Operator = In
		case "NotIn":
			r.Operator = NotIn
		case "Exists":
			r.Operator = Exists
		case "DoesNotExist":
			r.Operator = Absent
		default:
			return nil, false, fmt.Errorf("%q is not a valid label selector operator", e.GetOperator())
		}
		l = append(l, r)
	}
	slices.SortFunc(l, func(a, b Requirement) int {
		if a.Key < b.Key {
			return -1
		} else if a.Key > b.Key {
			return 1
		}
		return int(a.Operator) - int(b.Operator)
	})
	return l, false, nil
}

package selector

import (
	"testing"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func TestMatches(t *testing.T) {
	expr := func(key, op string, values ...string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: []*metav1.LabelSelectorRequirement{{Key: key, Operator: op, Values: values}}}
	}
	labels := map[string]string{"app": "web", "tier": "front"}
	for _, tc := range []struct {
		name string
		in   *metav1.LabelSelector
		want bool
	}{
		{"nil matches nothing", nil, false},
		{"empty matches everything", &metav1.LabelSelector{}, true},
		{"pair", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, true},
		{"wrong value", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}, false},
		{"one of two pairs", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web", "x": "y"}}, false},
		{"in", expr("app", "In", "db", "web"), true},
		{"in, key absent", expr("zone", "In", "a"), false},
		{"not in", expr("app", "NotIn", "web"), false},
		{"not in, key absent", expr("zone", "NotIn", "a"), true},
		{"exists", expr("tier", "Exists"), true},
		{"does not exist", expr("tier", "DoesNotExist"), false},
		{"does not exist, absent", expr("zone", "DoesNotExist"), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Compile(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Matches(labels); got != tc.want {
				t.Errorf("Matches = %v, want %v", got, tc.want)
			}
		})
	}
	if _, err := Compile(expr("a", "Like", "b")); err == nil {
		t.Error("an unknown operator was accepted")
	}
}

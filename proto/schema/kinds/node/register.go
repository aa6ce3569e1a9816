// Package node holds the logic of the node.k8s.io group's kinds that no option can say.
package node

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	nodev1 "github.com/keelson/keelson/proto/gen/keelson/node/v1"
	"github.com/keelson/keelson/proto/schema/kinds/core"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*nodev1.RuntimeClass]{Validate: runtimeClass})
}

func runtimeClass(c, old *nodev1.RuntimeClass) rule.ErrorList {
	if old != nil {
		return nil // what may not change says its option; the rest was checked
	}
	var errs rule.ErrorList
	if o := c.Overhead; o != nil {
		errs = append(errs, core.Requirements(&corev1.ResourceRequirements{Limits: o.PodFixed}, field.NewPath("overhead"))...)
	}
	s, at := c.GetScheduling(), field.NewPath("scheduling")
	errs = append(errs, rule.Labels(s.GetNodeSelector(), at.Child("nodeSelector"))...)
	type key struct{ key, operator, value, effect string }
	seen := map[key]bool{}
	for i, t := range s.GetTolerations() {
		at := at.Child("tolerations").Index(i)
		errs = append(errs, core.Toleration(t, at)...)
		k := key{t.Key, t.Operator, t.Value, t.Effect}
		if seen[k] {
			errs = append(errs, field.Duplicate(at, rule.Value(t)))
		}
		seen[k] = true
	}
	return errs
}

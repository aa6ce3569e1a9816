// Package scheduling holds the logic of the scheduling.k8s.io group's kinds that no option can say.
package scheduling

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	schedulingv1 "github.com/keelson/keelson/proto/gen/keelson/scheduling/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// HighestUserPriority is the highest value that a user's priority class may have; those above are the system's.
const HighestUserPriority = 1_000_000_000

// The system's own classes.
var system = map[string]int32{"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*schedulingv1.PriorityClass]{Validate: priorityClass})
}

func priorityClass(c, _ *schedulingv1.PriorityClass) rule.ErrorList {
	name := c.GetMetadata().GetName()
	if value, ok := system[name]; ok && value == c.Value && !c.GlobalDefault {
		return nil
	}
	var errs rule.ErrorList
	if strings.HasPrefix(name, "system-") {
		errs = append(errs, field.Forbidden(field.NewPath("metadata", "name"), "priority class names with 'system-' prefix are reserved for system use only. error: "+why(c)))
	}
	if c.Value > HighestUserPriority {
		errs = append(errs, field.Forbidden(field.NewPath("value"), fmt.Sprintf("maximum allowed value of a user defined priority is %d", HighestUserPriority)))
	}
	return errs
}

func why(c *schedulingv1.PriorityClass) string {
	value, ok := system[c.GetMetadata().GetName()]
	switch {
	case !ok:
		return fmt.Sprintf("%s is not a known system priority class", c.GetMetadata().GetName())
	case value != c.Value:
		return fmt.Sprintf("value of %s PriorityClass must be %d", c.GetMetadata().GetName(), value)
	}
	return fmt.Sprintf("globalDefault of %s PriorityClass must be false", c.GetMetadata().GetName())
}

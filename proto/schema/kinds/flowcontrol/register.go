// Package flowcontrol holds the logic of the flowcontrol.apiserver.k8s.io group's kinds that no option can say.
package flowcontrol

import (
	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*flowcontrolv1.FlowSchema]{Validate: flowSchema})
	rule.AddMessage(s, rule.TypedMessage[*flowcontrolv1.PolicyRulesWithSubjects]{Validate: rules})
	rule.AddMessage(s, rule.TypedMessage[*flowcontrolv1.Subject]{Validate: subject})
	rule.AddMessage(s, rule.TypedMessage[*flowcontrolv1.ResourcePolicyRule]{Validate: resourceRule})
	rule.AddMessage(s, rule.TypedMessage[*flowcontrolv1.NonResourcePolicyRule]{Validate: pathRule})
	rule.AddKind(s, rule.TypedKind[*flowcontrolv1.PriorityLevelConfiguration]{Validate: priorityLevel})
}

// Package core holds the logic of the core group's kinds that no option can say.
package core

import (
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddMessage(s, rule.TypedMessage[*corev1.Container]{Finish: defaultContainer})
	rule.AddMessage(s, rule.TypedMessage[*corev1.EphemeralContainerCommon]{Finish: defaultEphemeral})
	rule.AddMessage(s, rule.TypedMessage[*corev1.PodSpec]{Finish: defaultPodSpec})
	rule.AddMessage(s, rule.TypedMessage[*corev1.Volume]{Default: defaultVolume})
	rule.AddKind(s, rule.TypedKind[*corev1.Pod]{Finish: defaultPod})
	rule.AddKind(s, rule.TypedKind[*corev1.Service]{Finish: defaultService})
	rule.AddKind(s, rule.TypedKind[*corev1.Namespace]{Finish: defaultNamespace})
	rule.AddKind(s, rule.TypedKind[*corev1.Node]{Finish: defaultNode})
	rule.AddKind(s, rule.TypedKind[*corev1.Secret]{Default: mergeStringData})
	rule.AddKind(s, rule.TypedKind[*corev1.Event]{Fields: eventFields})
}

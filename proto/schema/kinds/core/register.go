// Package core holds the logic of the core group's kinds that no option can say.
package core

import (
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddMessage(s, rule.TypedMessage[*metav1.LabelSelector]{Validate: rule.LabelSelector})
	registerPods(s)
	rule.AddKind(s, rule.TypedKind[*corev1.Pod]{Finish: defaultPod, Validate: pod, ValidateStatus: podStatus})
	rule.AddKind(s, rule.TypedKind[*corev1.Service]{Finish: defaultService, Validate: service, ValidateStatus: serviceStatus})
	rule.AddKind(s, rule.TypedKind[*corev1.Endpoints]{Validate: endpoints})
	rule.AddKind(s, rule.TypedKind[*corev1.Namespace]{Finish: defaultNamespace, Validate: namespace})
	rule.AddKind(s, rule.TypedKind[*corev1.Node]{Finish: defaultNode, Validate: node})
	rule.AddKind(s, rule.TypedKind[*corev1.ConfigMap]{Validate: configMap})
	rule.AddKind(s, rule.TypedKind[*corev1.Secret]{Default: mergeStringData, Validate: secret})
	rule.AddKind(s, rule.TypedKind[*corev1.ReplicationController]{Finish: defaultController, Validate: controller, ValidateStatus: controllerStatus})
	rule.AddMessage(s, rule.TypedMessage[*corev1.LimitRangeItem]{Finish: defaultLimits})
	rule.AddKind(s, rule.TypedKind[*corev1.LimitRange]{Validate: limitRange})
	rule.AddKind(s, rule.TypedKind[*corev1.ResourceQuota]{Validate: resourceQuota, ValidateStatus: resourceQuotaStatus})
	rule.AddKind(s, rule.TypedKind[*corev1.PersistentVolume]{Validate: persistentVolume})
	rule.AddKind(s, rule.TypedKind[*corev1.PersistentVolumeClaim]{Finish: defaultClaim, Validate: claim, ValidateStatus: claimStatus})
	rule.AddKind(s, rule.TypedKind[*corev1.Event]{Fields: eventFields, Validate: event})
}

func registerPods(s *rule.Set) {
	rule.AddMessage(s, rule.TypedMessage[*corev1.PodTemplateSpec]{Validate: podTemplate})
	rule.AddMessage(s, rule.TypedMessage[*corev1.PodSpec]{Finish: defaultPodSpec, Validate: podSpec})
	rule.AddMessage(s, rule.TypedMessage[*corev1.Container]{Finish: defaultContainer})
	rule.AddMessage(s, rule.TypedMessage[*corev1.EphemeralContainerCommon]{Finish: defaultEphemeral})
	rule.AddMessage(s, rule.TypedMessage[*corev1.EnvVar]{Validate: envVar})
	rule.AddMessage(s, rule.TypedMessage[*corev1.ResourceRequirements]{Validate: Requirements})
	rule.AddMessage(s, rule.TypedMessage[*corev1.Probe]{Validate: probe})
	rule.AddMessage(s, rule.TypedMessage[*corev1.LifecycleHandler]{Validate: lifecycleHandler})
	rule.AddMessage(s, rule.TypedMessage[*corev1.SeccompProfile]{Validate: func(p *corev1.SeccompProfile, at *rule.Path) rule.ErrorList {
		return profile(p.Type, p.LocalhostProfile, "seccompProfile", at)
	}})
	rule.AddMessage(s, rule.TypedMessage[*corev1.AppArmorProfile]{Validate: func(p *corev1.AppArmorProfile, at *rule.Path) rule.ErrorList {
		return profile(p.Type, p.LocalhostProfile, "appArmorProfile", at)
	}})
	rule.AddMessage(s, rule.TypedMessage[*corev1.Volume]{Default: defaultVolume, Validate: volume})
	rule.AddMessage(s, rule.TypedMessage[*corev1.KeyToPath]{Validate: keyToPath})
	rule.AddMessage(s, rule.TypedMessage[*corev1.DownwardAPIVolumeFile]{Validate: downwardFile})
	rule.AddMessage(s, rule.TypedMessage[*corev1.NodeSelector]{Validate: nodeSelector})
	rule.AddMessage(s, rule.TypedMessage[*corev1.NodeSelectorRequirement]{Validate: nodeRequirement})
	rule.AddMessage(s, rule.TypedMessage[*corev1.PreferredSchedulingTerm]{Validate: preferredNodes})
	rule.AddMessage(s, rule.TypedMessage[*corev1.WeightedPodAffinityTerm]{Validate: preferredPods})
	rule.AddMessage(s, rule.TypedMessage[*corev1.PodAffinityTerm]{Validate: podAffinityTerm})
}

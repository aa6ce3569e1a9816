// Package apps holds the logic of the apps group's kinds that no option can say.
package apps

import (
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddMessage(s, rule.TypedMessage[*appsv1.DeploymentStrategy]{Finish: defaultStrategy})
	rule.AddMessage(s, rule.TypedMessage[*appsv1.DaemonSetUpdateStrategy]{Finish: defaultDaemonStrategy})
	rule.AddMessage(s, rule.TypedMessage[*appsv1.StatefulSetUpdateStrategy]{Default: defaultStatefulStrategy})
	rule.AddKind(s, rule.TypedKind[*appsv1.Deployment]{Validate: deployment, ValidateStatus: deploymentStatus})
	rule.AddKind(s, rule.TypedKind[*appsv1.ReplicaSet]{Validate: replicaSet, ValidateStatus: replicaSetStatus})
	rule.AddKind(s, rule.TypedKind[*appsv1.DaemonSet]{Validate: daemonSet, ValidateStatus: daemonSetStatus})
	rule.AddKind(s, rule.TypedKind[*appsv1.StatefulSet]{Validate: statefulSet, ValidateStatus: statefulSetStatus, Review: claimedVolumes})
	rule.AddKind(s, rule.TypedKind[*appsv1.ControllerRevision]{Validate: revision})
}

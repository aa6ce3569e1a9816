// Package deployment rolls Deployments out.
//
// It reads Deployments, ReplicaSets and Pods. It creates one ReplicaSet for each pod template that a Deployment has had,
// scales them against each other, adopts and releases them by selector, deletes those beyond the revision history
// limit, and writes Deployment.status and the annotation deployment.kubernetes.io/revision; nobody else writes those.
//
//	template unknown ──▶ new ReplicaSet, revision = highest + 1
//	template known   ──▶ that ReplicaSet becomes the new one again, revision = highest + 1 (a rollback)
//	paused, or the number of replicas was changed ──▶ scale in proportion, no rollout
//	Recreate         ──▶ old ones to 0, wait until their pods are gone, new one to all
//	RollingUpdate    ──▶ new one up within maxSurge, old ones down within maxUnavailable
//
// The decision is plan, a pure function of the Deployment, its ReplicaSets and the time: it models each write on copies
// and computes the status from what the writes will have made.
package deployment

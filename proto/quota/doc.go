// Package quota knows what objects use of a ResourceQuota's resources and which quotas count them. The API server uses it
// to hold creations against quotas; the controller manager, to compute what is used.
//
// Resources are named as in quotas: "pods", "requests.cpu", "limits.memory", "count/deployments.apps",
// "gold.storageclass.storage.k8s.io/requests.storage".
package quota

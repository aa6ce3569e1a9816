// Package disruption says how many pods may be evicted now: PodDisruptionBudget.status.
//
// It reads PodDisruptionBudgets, Pods, and the objects that own pods and have a scale. It writes the status of budgets.
// The API server writes it too: an eviction takes one from disruptionsAllowed and notes the pod in disruptedPods, where it
// counts as unhealthy until it is gone, or until it turns out that it was not deleted after all.
//
// A budget that cannot be computed allows nothing, and says why in its condition DisruptionAllowed.
//
// Pods with the condition DisruptionTarget that nobody deletes lose it after a while.
package disruption

// Package replicaset keeps as many pods alive as each ReplicaSet asks for.
//
// It reads ReplicaSets and Pods. It creates and deletes the pods that a ReplicaSet controls, adopts orphans that match
// its selector, releases pods that no longer do, and writes ReplicaSet.status; nobody else writes that status.
//
// The decision is Plan, a pure function of the ReplicaSet, its pods and the time. Creations and deletions leave in
// pipelined batches. Because the runner waits until the pod cache holds the controller's own last writes, the pods in
// the cache can simply be counted; there are no expectations to keep or to lose.
package replicaset

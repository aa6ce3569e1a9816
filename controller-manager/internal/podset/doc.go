// Package podset is what all controllers share whose objects own pods: ReplicaSets, ReplicationControllers, Jobs,
// StatefulSets, DaemonSets.
//
// A Keeper has the runner of such a controller. It wakes an object when one of its pods changes, adopts and releases pods
// by the object's selector, creates and deletes pods in pipelined batches with an event for each, and writes the status.
// Every write is told to the runner, so that no pass begins before the caches show the last one's writes.
package podset

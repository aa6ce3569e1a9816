// Package daemonset keeps one pod on each node that a DaemonSet is for.
//
// It reads DaemonSets, Pods, Nodes and ControllerRevisions. It creates and deletes the pods of a DaemonSet, keeps the
// history of its template, and writes DaemonSet.status; nobody else writes that status.
//
// A pod is made for its node: a required node affinity names it, and the scheduler binds it there once it fits. Pods
// tolerate what says that a node is not well. plan is a pure function that compares nodes with pods; roll, another one,
// says which pods of the old template may be replaced now.
package daemonset

// Package tainteviction removes pods from nodes whose NoExecute taints they do not tolerate, or no longer do once their
// tolerationSeconds have passed.
//
// It reads Pods and Nodes, marks a pod with the condition DisruptionTarget and deletes it. The time counts from when the
// taint was added, which the node records, or from when the pod was bound if that is later: a restart of this process
// neither prolongs nor shortens it.
package tainteviction

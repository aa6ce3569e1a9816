// Package nodelifecycle notices nodes whose kubelet has gone silent, and keeps pods away from nodes in trouble.
//
// It reads Nodes, their Leases in kube-node-lease, and Pods. It writes the conditions of silent nodes, the taints of the
// node.kubernetes.io/ family on all nodes, and the Ready condition of pods on silent nodes.
//
//	lease or status renewed ──▶ heard now
//	heard longer ago than the grace period ──▶ conditions Unknown, taint unreachable, pods NotReady
//	Ready False ──▶ taint not-ready;  pressure, cordon ──▶ their taints
//
// How long ago a kubelet was heard is measured by this process' clock between events, never by comparing the node's
// clock with ours. Where no node at all is ready nothing is evicted: then it is rather this process that is cut off, and
// there would be no place to run elsewhere.
package nodelifecycle

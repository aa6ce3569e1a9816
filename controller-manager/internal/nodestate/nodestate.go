// Package nodestate answers the questions that several controllers ask about a node. It is pure.
package nodestate

import (
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// Condition types, their values, and the taints that controllers manage.
const (
	Ready              = "Ready"
	MemoryPressure     = "MemoryPressure"
	DiskPressure       = "DiskPressure"
	PIDPressure        = "PIDPressure"
	NetworkUnavailable = "NetworkUnavailable"

	True    = "True"
	False   = "False"
	Unknown = "Unknown"

	TaintNotReady           = "node.kubernetes.io/not-ready"
	TaintUnreachable        = "node.kubernetes.io/unreachable"
	TaintUnschedulable      = "node.kubernetes.io/unschedulable"
	TaintMemoryPressure     = "node.kubernetes.io/memory-pressure"
	TaintDiskPressure       = "node.kubernetes.io/disk-pressure"
	TaintPIDPressure        = "node.kubernetes.io/pid-pressure"
	TaintNetworkUnavailable = "node.kubernetes.io/network-unavailable"
	// TaintOutOfService is set by an operator who knows that the machine is off: its pods may be forgotten.
	TaintOutOfService = "node.kubernetes.io/out-of-service"

	NoSchedule = "NoSchedule"
	NoExecute  = "NoExecute"
)

// Condition returns the node's condition of a type, nil where it has none.
func Condition(node *corev1.Node, kind string) *corev1.NodeCondition {
	for _, c := range node.GetStatus().GetConditions() {
		if c.GetType() == kind {
			return c
		}
	}
	return nil
}

// IsReady reports whether the Ready condition is True.
func IsReady(node *corev1.Node) bool { return Condition(node, Ready).GetStatus() == True }

// HasTaint reports whether the node has a taint of a key, of any effect.
func HasTaint(node *corev1.Node, key string) bool {
	for _, t := range node.GetSpec().GetTaints() {
		if t.GetKey() == key {
			return true
		}
	}
	return false
}

// Package podgc removes pods that nobody else would: those of nodes that no longer exist, those that were deleted
// before they got a node, those that terminate on a node that is declared out of service, and the oldest finished ones
// beyond a number.
//
// It reads Pods and Nodes. It marks pods that it ends as failed, and deletes pods with no grace period.
package podgc

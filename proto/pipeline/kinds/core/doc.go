// Package core holds the logic of the core group's kinds around a write: a pod's life up to its deletion, a
// namespace's finalization, the addresses and ports of Services.
package core

import (
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// success is the answer of subresources that return nothing else.
func success() *metav1.Status { return &metav1.Status{Status: "Success", Code: 201} }

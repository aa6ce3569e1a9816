// Package namespace empties namespaces that are being deleted, and lets them go.
//
// It reads Namespaces, and the objects of every namespaced kind that the API serves. It deletes those objects, writes
// the conditions of the namespace's status, and takes away the namespace's finalizer "kubernetes" once nothing is left.
//
//	deleted ──▶ pods go ──▶ everything else goes ──▶ wait for what has finalizers ──▶ finalize
//
// Pods go first, so that none outlives what protects the others from it, such as network policies. While something is
// left the conditions say what: kinds, names, and whose finalizers they wait for.
package namespace

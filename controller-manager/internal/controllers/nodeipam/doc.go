// Package nodeipam gives each node the range that its pods' addresses come from.
//
// It reads Nodes and writes Node.spec.podCIDR and podCIDRs, once for each node. Ranges are the lowest free ones of the
// cluster's range. What is taken is read from the nodes themselves, so nothing is kept anywhere else: one worker
// assigns, and it looks only when the cache holds its own last assignment.
package nodeipam

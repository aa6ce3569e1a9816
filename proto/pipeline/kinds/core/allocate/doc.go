// Package allocate hands out what Services need exclusively: cluster IPs and node ports.
//
// Each address or port is one key in the store, whose value says which Service has it: two API servers that want the
// same one race for the creation of the key, and the store lets one win. Nothing is remembered in the process. A server
// that dies between taking a claim and storing the Service leaves a claim without owner; Repair removes those, and adds
// claims for Services that came without (from a Kubernetes cluster's snapshot, for one).
package allocate

// Package apply keeps track of who owns which field of an object (metadata.managedFields) and merges objects by that:
// Kubernetes' server-side apply.
//
// Track records the owner of what a create, an update or a patch changed. It runs on every write, so it compares the two
// messages by their descriptors and touches only the sets of managers that own something of what changed. Apply
// merges a configuration; it works on JSON trees with structured-merge-diff, through a schema that is made from the
// descriptors.
package apply

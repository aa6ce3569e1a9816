// Package apply keeps track of who owns which field of an object (metadata.managedFields) and merges objects by that:
// Kubernetes' server-side apply.
//
// Track records the owner of what a create, an update or a patch changed. It runs on every write, so it compares the two
// messages by their descriptors and touches only the sets of managers that own something of what changed.
//
// Apply merges a configuration. It works on JSON, where null, nothing and empty are three things, and passes over each
// document once: the configuration is laid over the object, which keeps what does not change as it is (join); what the
// manager applied before and leaves out now goes (prune), of which there is nothing where it applies the same fields again;
// and what differs afterwards is compared with what others own (compare). Sets of fields, and the types that say what is
// owned as a whole, are structured-merge-diff's; the types are made from the descriptors or from a custom kind's schema.
// structured-merge-diff's own merge is the oracle of the tests.
package apply

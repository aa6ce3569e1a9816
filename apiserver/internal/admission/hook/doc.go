// Package hook is what admission webhooks and policies have in common: which requests one is for, and how it sees them.
//
// A Subject is one request. A Match says which requests a hook is for: operations, resources, scope, the labels of the
// namespace and of the object. Where a hook names another version of the kind than the request, the Subject shows the
// object in that version (match policy Equivalent).
package hook

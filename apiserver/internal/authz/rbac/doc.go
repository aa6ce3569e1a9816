// Package rbac answers "may this user do that?" from the cluster's Roles and bindings.
//
// Index keeps them in the form in which they are asked: for each subject (a user or a group) the bindings that name it,
// over all namespaces and in one, and behind each binding the role's rules, compiled. A question costs one map look-up
// for the user and one for each group, and a few for each role found; it allocates nothing. Changing a role recompiles
// that role alone, changing a binding touches that binding's subjects alone, so the cost of a change does not grow
// with the cluster.
//
//	subject ──► binding ──► role ──► rules: {group, resource, subresource} ──► verbs, names
//
// The package also holds what follows from the same rules: whether one set of rules covers another (nobody may grant
// what they do not have) and the list of rules that apply to a user.
package rbac

// Package policy enforces ValidatingAdmissionPolicies and MutatingAdmissionPolicies, and checks the expressions of what
// configures admission when it is written.
//
// A policy acts through its bindings: each may narrow the requests, choose parameters and, for a validating one, say
// what a failure leads to. Policies and bindings come from the pipeline's own cache: they are in force as soon as that
// has seen them, and are compiled once.
package policy

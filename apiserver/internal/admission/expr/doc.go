// Package expr gives the expressions of admission policies and match conditions their environment: request, object,
// oldObject, namespaceObject, params, variables, authorizer.
package expr

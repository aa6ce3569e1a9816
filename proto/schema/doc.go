// Package schema is the engine that derives the behaviour of API kinds from their descriptors and options: which kinds
// there are, how they are addressed and stored, their defaults, their validation, their selectable fields.
//
// Nothing here is special to one kind. What no option can say stands in package kinds, as pure functions that the
// engine calls. The packages beside it build on the same shapes: merge (patches), apply (server-side apply and managed
// fields), table (what `kubectl get` prints), openapi (documents for clients).
package schema

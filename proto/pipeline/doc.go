// Package pipeline is the API server behind its front doors: every request, from gRPC or REST, from a component test or
// a production cluster, takes the same way through authorization, decoding, defaults, admission, validation and the
// store, and every read is answered by the same watch cache.
//
//	request ─ authorize ─ decode ─ prepare ─ default ─ mutate ─ validate ─ store ─┐
//	                                                                             │ one watch
//	read    ─ authorize ─ watch cache (immutable items, at a known revision) ◄────┘
//
// Server has one method for each call of the resource service and takes that service's request messages; the doors
// translate encodings and nothing else. Objects on the read side are never decoded: an Item is the stored bytes with
// the resource version appended. What is special to one kind (allocating a cluster IP, binding a pod) lives in
// kinds/<group>; this package holds what is true of all kinds.
package pipeline

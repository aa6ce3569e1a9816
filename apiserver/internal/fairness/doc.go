// Package fairness keeps one noisy client from starving the others, at both doors: Kubernetes' API priority and fairness.
//
// A FlowSchema puts a request on a priority level and into a flow of it; a PriorityLevelConfiguration says how large the
// level's share of the server is. What a request occupies while it is served is counted in seats: one for most, more for
// lists that carry many bytes.
//
//	request ─ first schema that matches ─ level ─ flow, by a hash, gets a hand of the level's queues
//	                                        │              └ and waits in the shortest
//	                                        └ seats free: the queue that had least of them, by virtual time, goes first
//
// A level always has its own seats, less what it lends; seats that a level lends and does not use may be borrowed at
// once and are given back as the borrowers' requests end. Requests beyond the queues' bounds are told to come back: 429.
//
// The administrators' group is never held back, whatever the objects say. The configuration follows the objects at run
// time; what every cluster has is in bootstrap.go, and stands in even where the objects cannot be read.
package fairness

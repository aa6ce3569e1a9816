// Package controller is the contract of a controller and the one runner that all of them share.
//
// A controller is a level-triggered function Reconcile(ctx, key) over caches. It says which caches it reads, registers
// event handlers that turn events into keys, and tells the runner about each of its writes. The runner gives it a
// work queue that merges equal keys, a number of workers, back-off for keys that fail, and metrics.
//
// The runner also keeps the rule that a reconciler never acts on a view older than its own last write: a write made
// while reconciling a key (Runner.Wrote) is remembered with its revision, and the key is not reconciled again before
// the cache that the write lands in has reached that revision. Controllers therefore count what is in the cache and
// keep no book of what they expect to see.
//
//	event ──▶ Add(key) ──▶ queue ──▶ wait: caches ≥ own writes of key ──▶ Reconcile ──▶ done
//	                         ▲                                              │
//	                         ├────────── error: back-off, conflict: soon ◀──┤
//	                         └────────── AddAfter(key, d) ◀─────────────────┘
package controller

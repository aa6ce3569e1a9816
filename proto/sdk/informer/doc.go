// Package informer keeps a live copy of a collection in memory: one stream that first lists and then watches, an
// indexed store, and handlers.
//
//	       ┌────────── snapshot ◄──────────┐ expired (410): what vanished meanwhile is reported as deleted
//	       ▼                               │
//	Run ─► list and watch in one stream ─► live ─► cut ─► resume after the last revision, nothing missed
//
// Promises:
//
//   - The store never goes back: an object is replaced by newer states only, also across servers and relists.
//   - Handlers see every change of the store once, in order, one at a time, after the store has it. An object that was
//     deleted and created again under its name is a deletion and an addition, even when both happened out of sight.
//   - WaitFor(revision) returns once the store shows everything up to that revision. A reconciler that waits for its
//     own last write never acts on an older view.
//   - Objects are shared and must not be changed: proto.Clone first.
package informer

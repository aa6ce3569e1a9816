// Package watchcache keeps the current state of every kind in memory and serves all reads from it.
//
//	store ── one watch over everything ──► reader ──► collection (a kind) ──► tree of items   ──► snapshots
//	                                          │              │                 recent changes ──► watches that resume
//	                                          │              └──────────────────────────────────► queues of watchers
//	                                          └──► revision: everything up to it is in the trees
//
// What it promises:
//   - A snapshot is the state of a kind at exactly one revision and never changes: the tree is copy-on-write.
//   - A read that waits for the store's revision (Current, then WaitFor) sees every write acknowledged before it.
//   - A watcher that starts at a revision gets each later change of its kind once, in order, or ErrTooOld.
//   - Nobody waits for a slow watcher: its queue is bounded, and when it is full the watcher ends with ErrTooSlow.
//   - A watcher may have an outlet, a connection: a few goroutines then write its events, and those of all others, as far as
//     that goes without waiting. Its own goroutine gets what is left.
//   - An item exists once; snapshots, recent changes and all queues share it.
package watchcache

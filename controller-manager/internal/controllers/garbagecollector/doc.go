// Package garbagecollector removes objects whose owners are gone, and ends deletions that wait for dependents.
//
// It reads the metadata of every kind, and deletes objects, removes owner references, and takes away the finalizers
// "foregroundDeletion" and "orphan". The graph of owners is not kept anywhere: it is an index of the caches.
//
//	owner gone (background)      dependents without another owner are deleted
//	owner has foregroundDeletion dependents are deleted first; the owner goes when none is left that blocks it
//	owner has orphan             dependents lose the reference; then the owner goes
//
// That an owner is gone is believed when its deletion was seen; where it is only missing from the cache the server is
// asked, because caches of different kinds do not move together. Every write holds only for the very state that was
// looked at.
package garbagecollector

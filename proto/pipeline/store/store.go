// Package store is what the pipeline asks of a database: ordered keys, one global revision, optimistic writes of one
// key at a time, history until it is compacted, and a watch that misses nothing.
//
// Two implementations pass the same suite (store/suite): store/memory for tests and in-process servers, and the API
// server's own over etcd. Values are opaque here.
package store

import (
	"context"
	"errors"
	"time"
)

// Errors that a Store returns, to be matched with errors.Is.
var (
	// ErrExists is returned by Create where the key has a value.
	ErrExists = errors.New("store: key exists")
	// ErrNotFound is returned where the key has no value.
	ErrNotFound = errors.New("store: key not found")
	// ErrConflict is returned where the key's revision is not the expected one.
	ErrConflict = errors.New("store: revision conflict")
	// ErrCompacted is returned by reads and watches that reach back behind the compaction.
	ErrCompacted = errors.New("store: revision has been compacted")
	// ErrFutureRevision is returned by reads at a revision that does not exist yet.
	ErrFutureRevision = errors.New("store: revision is in the future")
	// ErrTooLarge is returned where the value is bigger than the store takes.
	ErrTooLarge = errors.New("store: value is too large")
	// ErrClosed is returned once the store is closed.
	ErrClosed = errors.New("store: closed")
)

// KV is one key's state at one revision. Value must not be written to.
type KV struct {
	Key   string
	Value []byte
	// Revision is that of the last write to the key.
	Revision int64
	// Err says why there is no Value although the key has one: it cannot be decrypted. It concerns this key only.
	Err error
}

// Range asks for keys in order.
type Range struct {
	// Prefix of the keys asked for; empty is all.
	Prefix string
	// Start, where not empty, is the first key asked for.
	Start string
	// Revision at which to read; 0 is the current one.
	Revision int64
	// Limit is the most keys returned; 0 is all.
	Limit int
}

// RangeResult is the answer to a Range.
type RangeResult struct {
	KVs []KV
	// Revision at which the store was read.
	Revision int64
	// Count is how many keys there are from Start on, those left out included.
	Count int64
}

// EventType tells what happened to a key.
type EventType int

// Kinds of events.
const (
	Put EventType = iota + 1
	Delete
)

// Event is one change. Revisions of consecutive events never go down; each transaction has its own.
type Event struct {
	Type EventType
	// KV is the new state; for Delete only Key and Revision (that of the deletion) are set.
	KV KV
}

// Batch is what one receive of a watch returns.
type Batch struct {
	Events []Event
	// Revision up to which the watch has now seen everything; at least that of the last event.
	Revision int64
}

// Watcher delivers changes in order of revision.
type Watcher interface {
	// Next blocks until there is something to say. Errors are final: ErrCompacted where the start lies behind the
	// compaction, ErrClosed, the context's.
	Next(ctx context.Context) (Batch, error)
	// Close ends the watch and releases what it holds.
	Close()
}

// Store keeps keys and their history. All methods may be called concurrently. An error other than those of this
// package leaves unknown whether a write has happened.
type Store interface {
	// Get reads one key; linearizable. ErrNotFound where it has no value.
	Get(ctx context.Context, key string) (KV, error)
	// List reads a range of keys at one revision; linearizable where the revision is 0.
	List(ctx context.Context, r Range) (RangeResult, error)
	// Create writes a key that has no value. ttl 0 is for ever.
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) (revision int64, err error)
	// Update writes a key whose revision is expected. On ErrConflict current is the key's state, on ErrNotFound it
	// is zero.
	Update(ctx context.Context, key string, value []byte, expected int64, ttl time.Duration) (revision int64, current KV, err error)
	// Delete removes a key whose revision is expected, with Update's errors.
	Delete(ctx context.Context, key string, expected int64) (revision int64, current KV, err error)
	// Watch delivers every change of every key with a prefix from a revision (inclusive) on; 0 is from now.
	Watch(ctx context.Context, prefix string, from int64) (Watcher, error)
	// Revision is the newest revision: every write acknowledged before the call is covered. Cheap enough to be asked
	// for each read.
	Revision(ctx context.Context) (int64, error)
	// Compact forgets the history before a revision; reads and watches at or after it are unaffected.
	Compact(ctx context.Context, revision int64) error
	// Close releases everything; watches end with ErrClosed.
	Close() error
}

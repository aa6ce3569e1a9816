// Package door reaches the API server in the three ways that the benchmark compares: REST with JSON, REST with
// protobuf, and gRPC. Objects are decoded by the client as little as possible, for it shares the machine with the
// server.
package door

import (
	"context"
	"time"
)

// Door is one way into the server.
type Door interface {
	// Name says protocol and encoding: "REST JSON".
	Name() string
	// Creator prepares the creation of pods 0 to n-1 in a namespace; what it returns creates one of them.
	Creator(namespace string, n int) (func(ctx context.Context, i int) error, error)
	// Get reads a pod.
	Get(ctx context.Context, namespace, name string) (Held, error)
	// List reads all pods of a namespace that a label selector selects.
	List(ctx context.Context, namespace, labels string) (Listed, error)
	// Connect makes a connection for watches, one or many.
	Connect(ctx context.Context) (Connection, error)
	// DeleteCollection deletes the pods that a label selector selects.
	DeleteCollection(ctx context.Context, namespace, labels string) error
	// Close ends the connections.
	Close()
}

// Patcher is a door that takes strategic merge patches, which are JSON whatever else the door speaks.
type Patcher interface {
	// Patch sets a pod's mark.
	Patch(ctx context.Context, namespace, name string, mark time.Time) error
}

// Held is a pod as it was last read, ready to be written back.
type Held interface {
	// Update stores the pod with another mark and takes over what the server returns.
	Update(ctx context.Context, mark time.Time) error
	// Size of the pod in the door's encoding, in bytes.
	Size() int
}

// Listed is what a list has returned.
type Listed struct {
	Pods  int
	Bytes int64
}

// Connection carries watches and nothing else.
type Connection interface {
	// Watcher makes a watch of a namespace's pods.
	Watcher(namespace string, after int64) Watcher
	Close()
}

// Watcher is one watch.
type Watcher interface {
	// Run calls opened once the server has accepted the watch, and then event with the mark of each event, until the
	// context ends, which is not an error.
	Run(ctx context.Context, opened func(), event func(mark time.Time)) error
}

// Credentials are files of a client.
type Credentials struct{ CA, Cert, Key string }

package pipeline

import (
	"context"
	"net/netip"
	"time"

	"go.uber.org/zap"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema"
)

// Item is one object at one revision, as the read side hands it out.
type Item = item.Item

// Admission is a plugin that changes or refuses writes; see package admission.
type Admission = admission.Plugin

// Object is a root object of any kind.
type Object = admission.Object

// Handler serves a subresource or a kind that is never stored; see package strategy.
type Handler = strategy.Handler

// SubRequest is what a Handler gets.
type SubRequest = strategy.SubRequest

// Config is all a Server needs. The zero value of each optional field is a working default.
type Config struct {
	// Registry holds the kinds; required.
	Registry *schema.Registry
	// Store holds the objects; required. The server does not close it.
	Store store.Store
	// Authorizer decides on each request. Nil allows everything: for tests only.
	Authorizer Authorizer
	// Admission plugins run after the built-in ones, in order.
	Admission []Admission
	// WithoutAdmission names built-in plugins that are left out: component tests without a controller that creates
	// service accounts leave out "ServiceAccount".
	WithoutAdmission []string
	// Handlers add subresources and reviews that need what the pipeline does not have: a token signer, for one. A
	// handler replaces the built-in one of the same resource and subresource.
	Handlers []Handler
	// Logger defaults to none.
	Logger *zap.Logger
	// Clock defaults to time.Now.
	Clock func() time.Time
	// ClusterIPRange is where Services get their addresses from. Default: 10.96.0.0/16.
	ClusterIPRange netip.Prefix
	// NodePortRange is where Services get their node ports from, both ends inclusive. Default: 30000-32767.
	NodePortRange [2]int
	// EventTTL is how long Events live. Default: one hour.
	EventTTL time.Duration
	// MaxObjectBytes is the largest request body or object. Default: 3 MiB, as Kubernetes.
	MaxObjectBytes int
	// WatchHistory is how many changes of each kind a watch can reach back. Default: 8192.
	WatchHistory int
	// WatchBuffer is how many events a watcher may lag behind before it is cut off. Default: 16384.
	WatchBuffer int
	// BatchGate, where set, is asked before each write of a batch stream, which nothing before the pipeline sees; its
	// error is the write's. release is called after the write.
	BatchGate func(ctx context.Context, r *resourcev1.BatchRequest) (release func(), err error)
	// Advertise, where set, is the address under which pods reach the REST door: the Service default/kubernetes and
	// its endpoints are kept pointing there.
	Advertise netip.AddrPort
}

// List is one page of a collection.
type List struct {
	Kind  *schema.Kind
	Items []*Item
	// Revision at which the whole list was read.
	Revision int64
	// Continue is the token of the next page; empty on the last.
	Continue string
	// Remaining is how many objects follow this page; nil where that is not known.
	Remaining *int64
}

// Event is one event of a watch.
type Event struct {
	Type resourcev1.EventType
	// Item is nil for a bookmark.
	Item *Item
	// Revision of the change, or of the bookmark.
	Revision int64
	// InitialEventsEnd marks the bookmark that ends the initial state.
	InitialEventsEnd bool
}

// Result is the outcome of a write.
type Result struct {
	// Item is the object as stored (as it would be, in a dry run); after a deletion, as last seen.
	Item *Item
	// Created is true where an update or patch created the object.
	Created bool
	// Deleted is true where the object is gone.
	Deleted bool
	// Warnings are for the user.
	Warnings []string
}

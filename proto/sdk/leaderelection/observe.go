package leaderelection

import (
	"sync"
	"time"

	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

// observed is the lease as last seen, and since when it looks so by the local clock: the only clock that counts.
type observed struct {
	mu      sync.Mutex
	lease   *coordinationv1.Lease // nil where there is none
	since   time.Time
	leader  string
	changed chan struct{} // capacity 1
	notify  func(leader string)
}

// see takes in a state of the lease, nil for none. Older states than the last are ignored.
func (o *observed) see(l *coordinationv1.Lease) {
	o.mu.Lock()
	if l != nil && o.lease != nil && client.Revision(l) < client.Revision(o.lease) {
		o.mu.Unlock()
		return
	}
	if !proto.Equal(l.GetSpec(), o.lease.GetSpec()) || o.since.IsZero() {
		o.since = time.Now()
	}
	o.lease = l
	leader := l.GetSpec().GetHolderIdentity()
	isNew := leader != o.leader
	o.leader = leader
	o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	if isNew && leader != "" && o.notify != nil {
		o.notify(leader)
	}
}

// get returns the lease and how long from now it still belongs to somebody else; 0 where it may be taken.
func (o *observed) get(identity string) (l *coordinationv1.Lease, held time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	holder := o.lease.GetSpec().GetHolderIdentity()
	if holder == "" || holder == identity {
		return o.lease, 0
	}
	duration := time.Duration(o.lease.GetSpec().GetLeaseDurationSeconds()) * time.Second
	return o.lease, max(0, time.Until(o.since.Add(duration)))
}

package etcd

import (
	"context"
	"math"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A lease serves all keys of the same time to live that are written within a twentieth of it, but at most for a minute
// and for so many keys: granting one for each event would cost as much as the event.
const (
	leaseShare   = 20
	leaseMaxUse  = time.Minute
	leaseMaxKeys = 1000
)

// leases hands out leases, each to many keys.
type leases struct {
	client *clientv3.Client
	mu     sync.Mutex
	byTTL  map[time.Duration]*lease
}

type lease struct {
	id    clientv3.LeaseID
	until time.Time
	keys  int
}

// get returns a lease that lasts at least ttl.
func (l *leases) get(ctx context.Context, ttl time.Duration) (clientv3.LeaseID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if have := l.byTTL[ttl]; have != nil && now.Before(have.until) && have.keys < leaseMaxKeys {
		have.keys++
		return have.id, nil
	}
	use := min(ttl/leaseShare, leaseMaxUse)
	resp, err := l.client.Grant(ctx, int64(math.Ceil((ttl + use).Seconds())))
	if err != nil {
		return 0, err
	}
	if l.byTTL == nil {
		l.byTTL = map[time.Duration]*lease{}
	}
	l.byTTL[ttl] = &lease{id: resp.ID, until: now.Add(use), keys: 1}
	return resp.ID, nil
}

// Package bootstrap keeps the roles that every cluster has.
//
// On each start the ClusterRoles and bindings of the table in roles.go are created where they are missing and given
// back the rules, subjects and labels that they lost; what people added stays. The annotation
// rbac.authorization.kubernetes.io/autoupdate: "false" on an object leaves it to its owner.
//
// While it runs, Keeper also fills in aggregated ClusterRoles: one with an aggregationRule always has the rules of the
// ClusterRoles that its selectors match.
package bootstrap

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

const (
	group      = "rbac.authorization.k8s.io"
	autoUpdate = "rbac.authorization.kubernetes.io/autoupdate"
	manager    = "clusterrole-aggregation-controller"

	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// Server is what the keeper needs of the pipeline.
type Server interface {
	Get(ctx context.Context, r *resourcev1.GetRequest) (*pipeline.Item, error)
	Create(ctx context.Context, r *resourcev1.CreateRequest) (*pipeline.Result, error)
	Update(ctx context.Context, r *resourcev1.UpdateRequest) (*pipeline.Result, error)
	Delete(ctx context.Context, r *resourcev1.DeleteRequest) (*pipeline.Result, error)
}

// Keeper reconciles the default roles once and aggregated roles for as long as it runs.
type Keeper struct {
	logger *zap.Logger
	ready  chan struct{} // closed once the defaults are there

	mu    sync.Mutex
	roles map[string]*rbacv1.ClusterRole
	dirty chan struct{} // holds one token while roles changed since they were last looked at
	// changed is closed, and replaced, with every change of roles.
	changed chan struct{}
}

// NewKeeper returns a keeper that does not run yet.
func NewKeeper(logger *zap.Logger) *Keeper {
	return &Keeper{
		logger: logger, ready: make(chan struct{}), roles: make(map[string]*rbacv1.ClusterRole), dirty: make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
}

// SetRole tells of a ClusterRole as it is now. The keeper keeps it and does not change it.
func (k *Keeper) SetRole(role *rbacv1.ClusterRole) {
	k.mu.Lock()
	k.roles[role.GetMetadata().GetName()] = role
	k.touchLocked()
	k.mu.Unlock()
}

// DeleteRole tells that a ClusterRole is gone.
func (k *Keeper) DeleteRole(name string) {
	k.mu.Lock()
	delete(k.roles, name)
	k.touchLocked()
	k.mu.Unlock()
}

func (k *Keeper) touchLocked() {
	close(k.changed)
	k.changed = make(chan struct{})
	select {
	case k.dirty <- struct{}{}:
	default:
	}
}

// WaitForRoles returns once the default roles are in the store.
func (k *Keeper) WaitForRoles(ctx context.Context) error {
	select {
	case <-k.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WaitForAggregation returns once every aggregated role that the keeper was told of has the rules that its parts make.
func (k *Keeper) WaitForAggregation(ctx context.Context) error {
	for {
		k.mu.Lock()
		changed := k.changed
		k.mu.Unlock()
		if len(k.due()) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Run works until ctx ends; ctx carries the identity it writes with.
func (k *Keeper) Run(ctx context.Context, s Server) {
	if !k.retry(ctx, "default roles", func() error { return reconcile(ctx, s, k.logger) }) {
		return
	}
	close(k.ready)
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.dirty:
		}
		if !k.retry(ctx, "aggregated roles", func() error { return k.aggregate(ctx, s) }) {
			return
		}
	}
}

// retry calls f until it succeeds; false where ctx ended first.
func (k *Keeper) retry(ctx context.Context, what string, f func() error) bool {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := f()
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		k.logger.Warn("reconciling failed, trying again", zap.String("what", what), zap.Error(err))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

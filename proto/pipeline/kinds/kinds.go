// Package kinds gathers the kinds' own logic for the pipeline: what no option of the schema can say. There is one
// package a group below it.
package kinds

import (
	"context"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline/kinds/apiextensions"
	"github.com/keelson/keelson/proto/pipeline/kinds/apps"
	"github.com/keelson/keelson/proto/pipeline/kinds/batch"
	"github.com/keelson/keelson/proto/pipeline/kinds/certificates"
	"github.com/keelson/keelson/proto/pipeline/kinds/core"
	"github.com/keelson/keelson/proto/pipeline/kinds/core/allocate"
	"github.com/keelson/keelson/proto/pipeline/kinds/networking"
	"github.com/keelson/keelson/proto/pipeline/kinds/scale"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// Config is what the kinds' logic needs to know.
type Config struct {
	Access         strategy.Access
	Store          store.Store
	ClusterIPRange netip.Prefix
	NodePortRange  [2]int
	Logger         *zap.Logger
	Clock          func() time.Time
}

// Set is the logic of all kinds.
type Set struct {
	// Hooks by group and plural.
	Hooks    map[[2]string]strategy.Hooks
	Handlers []strategy.Handler
	services *core.Services
	first    netip.Addr
}

// First is the first cluster IP, which belongs to the Service default/kubernetes.
func (s *Set) First() netip.Addr { return s.first }

// New returns the logic of all kinds.
func New(cfg Config) *Set {
	claims := allocate.New(allocate.Config{
		Store: cfg.Store, Access: cfg.Access, ClusterIPRange: cfg.ClusterIPRange, NodePortRange: cfg.NodePortRange, Logger: cfg.Logger,
	})
	services := core.NewServices(cfg.Access, claims)
	return &Set{
		Hooks: map[[2]string]strategy.Hooks{
			{"", "pods"}:                          core.Pods(),
			{"", "nodes"}:                         {StatusOnCreate: true}, // an agent registers with what it found
			{"", "namespaces"}:                    core.Namespaces(),
			{"", "services"}:                      services.Hooks(),
			{"", "replicationcontrollers"}:        {Orphans: true},
			{"", "persistentvolumeclaims"}:        core.Claims(),
			{"", "persistentvolumes"}:             core.Volumes(cfg.Clock),
			{"", "componentstatuses"}:             core.Components(cfg.Access, cfg.Store, cfg.Clock),
			{"", "resourcequotas"}:                core.Quotas(cfg.Access, cfg.Clock),
			{"apps", "deployments"}:               apps.Deployments(),
			{"batch", "jobs"}:                     batch.Jobs(),
			{"networking.k8s.io", "servicecidrs"}: networking.CIDRs(cfg.Clock),
			{"certificates.k8s.io", "certificatesigningrequests"}: certificates.Requests(cfg.Clock),
			{"apiextensions.k8s.io", "customresourcedefinitions"}: apiextensions.Definitions(),
		},
		Handlers: append(core.Handlers(), scale.Handlers()...),
		services: services,
		first:    claims.First(),
	}
}

// Repair brings what the kinds' logic has outside of objects in line with them, before the first request.
func (s *Set) Repair(ctx context.Context) error { return s.services.Repair(ctx) }

// Run keeps what the kinds' logic has outside of objects in repair, until the context ends.
func (s *Set) Run(ctx context.Context) { s.services.Run(ctx) }

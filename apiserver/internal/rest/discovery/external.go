package discovery

import (
	"cmp"
	"slices"
	"strings"

	apidiscoveryv2 "github.com/keelson/keelson/proto/gen/keelson/apidiscovery/v2"
	"github.com/keelson/keelson/proto/schema"
)

// External is a version of a group that another server serves.
type External struct {
	Group, Version string
	// GroupPriority and VersionPriority put it among the others: the highest are first.
	GroupPriority, VersionPriority int32
	// Document is its entry in the aggregated document. Its own document is the other server's to answer with.
	Document *apidiscoveryv2.APIVersionDiscovery
}

// Others knows what other servers serve.
type Others interface {
	// Revision counts its changes.
	Revision() int64
	External() []External
}

// Priority is where a version of a group stands among others, as Kubernetes' APIServices say it.
type Priority struct{ Group, Version int32 }

// groupPriorities are those of the built-in groups.
var groupPriorities = map[string]int32{
	"": 18000, "apiregistration.k8s.io": 17999, "apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700,
	"authorization.k8s.io": 17600, "autoscaling": 17500, "batch": 17400, "certificates.k8s.io": 17300, "networking.k8s.io": 17200,
	"policy": 17100, "rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800, "apiextensions.k8s.io": 16700,
	"admissionregistration.k8s.io": 16700, "scheduling.k8s.io": 16600, "coordination.k8s.io": 16500, "node.k8s.io": 16300,
	"discovery.k8s.io": 16200, "flowcontrol.apiserver.k8s.io": 16100, "resource.k8s.io": 15900,
	"storagemigration.k8s.io": 15800,
}

// Priorities of what CustomResourceDefinitions add.
const (
	customGroup   = 1000
	customVersion = 100
)

// PriorityOf is the priority of a version that this server serves itself.
func PriorityOf(group, version string) Priority {
	p, ok := groupPriorities[group]
	switch {
	case !ok:
		return Priority{customGroup, customVersion}
	case group == "":
		return Priority{p, 1}
	case group == "autoscaling" && version == "v2":
		return Priority{p, 30}
	case strings.Contains(version, "alpha"):
		return Priority{p, 9}
	case strings.Contains(version, "beta"):
		return Priority{p, 12}
	}
	return Priority{p, 15}
}

// add puts versions of other servers among a handler's groups.
func (h *Handler) add(groups []*group, external []External) []*group {
	priority := map[string]int32{}
	for _, g := range groups {
		priority[g.name] = PriorityOf(g.name, "v1").Group
	}
	for i := range external {
		e := &external[i]
		g := find(&groups, func(g *group) bool { return g.name == e.Group }, func() *group { return &group{name: e.Group} })
		g.versions = slices.DeleteFunc(g.versions, func(v *version) bool { return v.version == e.Version })
		g.versions = append(g.versions, &version{group: e.Group, version: e.Version, external: e})
		slices.SortStableFunc(g.versions, func(a, b *version) int {
			return cmp.Or(-cmp.Compare(a.priority(), b.priority()), schema.CompareVersions(a.version, b.version))
		})
		priority[e.Group] = max(priority[e.Group], e.GroupPriority)
	}
	if len(external) > 0 {
		slices.SortStableFunc(groups, func(a, b *group) int { return -cmp.Compare(priority[a.name], priority[b.name]) })
	}
	return groups
}

func (v *version) priority() int32 {
	if v.external != nil {
		return v.external.VersionPriority
	}
	return PriorityOf(v.group, v.version).Version
}

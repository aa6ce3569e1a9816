// Package discovery tells clients what is served: the documents under /api and /apis, derived from the registry of
// kinds once, in the old form (a document for each group and version) and in the aggregated one.
package discovery

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	apidiscoveryv2 "github.com/keelson/keelson/proto/gen/keelson/apidiscovery/v2"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Verbs of kinds that are stored, and of those that are only asked.
var (
	storedVerbs    = []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
	ephemeralVerbs = []string{"create"}
)

// groupOrder is the order in which Kubernetes lists its groups: it decides which one a resource's bare name means.
var groupOrder = []string{"", "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io",
	"authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io", "networking.k8s.io", "policy",
	"rbac.authorization.k8s.io", "storage.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io",
	"scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io", "discovery.k8s.io", "flowcontrol.apiserver.k8s.io",
	"resource.k8s.io", "storagemigration.k8s.io"}

// version is one group and version with its kinds, by plural.
type version struct {
	group, version string
	kinds          []*schema.Kind
	// external is set where another server serves it.
	external *External
}

// group is a group with its versions, the preferred one first.
type group struct {
	name     string
	versions []*version
}

// groups sorts the served kinds. A version that only subresources speak is there too, without kinds: kubectl drain
// looks for policy/v1 before it evicts.
func (h *Handler) groups(kinds []*schema.Kind) []*group {
	var out []*group
	in := func(name, ver string) *version {
		g := find(&out, func(g *group) bool { return g.name == name }, func() *group { return &group{name: name} })
		return find(&g.versions, func(v *version) bool { return v.version == ver },
			func() *version { return &version{group: name, version: ver} })
	}
	for _, k := range kinds {
		if k.Served {
			v := in(k.Group, k.Version)
			v.kinds = append(v.kinds, k)
		}
	}
	for _, k := range kinds {
		if !k.Served {
			continue
		}
		for _, s := range h.subresources(k) {
			in(s.Group, s.Version)
		}
	}
	slices.SortStableFunc(out, func(a, b *group) int {
		return cmp.Or(cmp.Compare(rank(a.name), rank(b.name)), strings.Compare(a.name, b.name))
	})
	return out
}

// subresources are those of a kind that are served.
func (h *Handler) subresources(k *schema.Kind) []schema.Subresource {
	return slices.DeleteFunc(slices.Clone(k.Subresources), func(s schema.Subresource) bool { return !h.serves(k, s.Name) })
}

func find[T any](list *[]*T, is func(*T) bool, create func() *T) *T {
	if i := slices.IndexFunc(*list, is); i >= 0 {
		return (*list)[i]
	}
	t := create()
	*list = append(*list, t)
	return t
}

func rank(group string) int {
	if i := slices.Index(groupOrder, group); i >= 0 {
		return i
	}
	return len(groupOrder)
}

func verbs(k *schema.Kind) []string {
	if k.Ephemeral {
		return ephemeralVerbs
	}
	if len(k.Verbs) > 0 {
		return k.Verbs
	}
	return storedVerbs
}

// resourceList is the document of one group and version.
func (h *Handler) resourceList(v *version) *metav1.APIResourceList {
	out := &metav1.APIResourceList{GroupVersion: schema.APIVersion(v.group, v.version), Resources: []*metav1.APIResource{}}
	for _, k := range v.kinds {
		r := &metav1.APIResource{Name: k.Plural, SingularName: k.Singular, Namespaced: k.Namespaced, Kind: k.Kind,
			Verbs: &metav1.Verbs{Items: verbs(k)}, ShortNames: k.ShortNames, Categories: k.Categories}
		if !k.Ephemeral {
			r.StorageVersionHash = storageHash(k)
		}
		out.Resources = append(out.Resources, r)
		for _, s := range h.subresources(k) {
			sub := &metav1.APIResource{Name: k.Plural + "/" + s.Name, Namespaced: k.Namespaced, Kind: s.Kind,
				Verbs: &metav1.Verbs{Items: s.Verbs}}
			if s.Group != k.Group || s.Version != k.Version {
				sub.Group, sub.Version = s.Group, s.Version
			}
			out.Resources = append(out.Resources, sub)
		}
	}
	slices.SortStableFunc(out.Resources, func(a, b *metav1.APIResource) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// storageHash changes when the stored form of a kind does: clients that migrate storage compare it.
func storageHash(k *schema.Kind) string {
	group, version := schema.SplitAPIVersion(k.StorageVersion)
	sum := sha256.Sum256([]byte(group + "/" + version + "/" + k.Kind))
	return base64.StdEncoding.EncodeToString(sum[:8])
}

// apiGroup is the entry of a group in /apis.
func apiGroup(g *group) *metav1.APIGroup {
	out := &metav1.APIGroup{Name: g.name}
	for _, v := range g.versions {
		out.Versions = append(out.Versions, &metav1.GroupVersionForDiscovery{
			GroupVersion: schema.APIVersion(v.group, v.version), Version: v.version})
	}
	out.PreferredVersion = out.Versions[0]
	return out
}

// aggregated is the entry of a group in the aggregated document.
func (h *Handler) groupDiscovery(g *group) *apidiscoveryv2.APIGroupDiscovery {
	out := &apidiscoveryv2.APIGroupDiscovery{Metadata: &metav1.ObjectMeta{Name: g.name}}
	for _, v := range g.versions {
		if v.external != nil {
			out.Versions = append(out.Versions, v.external.Document)
			continue
		}
		d := &apidiscoveryv2.APIVersionDiscovery{Version: v.version, Freshness: "Current"}
		for _, k := range v.kinds {
			scope := "Cluster"
			if k.Namespaced {
				scope = "Namespaced"
			}
			r := &apidiscoveryv2.APIResourceDiscovery{Resource: k.Plural,
				ResponseKind: &metav1.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind},
				Scope:        scope, SingularResource: k.Singular, Verbs: verbs(k), ShortNames: k.ShortNames, Categories: k.Categories}
			for _, s := range h.subresources(k) {
				r.Subresources = append(r.Subresources, &apidiscoveryv2.APISubresourceDiscovery{Subresource: s.Name,
					ResponseKind: &metav1.GroupVersionKind{Group: s.Group, Version: s.Version, Kind: s.Kind}, Verbs: s.Verbs})
			}
			d.Resources = append(d.Resources, r)
		}
		out.Versions = append(out.Versions, d)
	}
	return out
}

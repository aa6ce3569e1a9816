package endpointslice

import (
	"cmp"
	"maps"
	"slices"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/backends"
	"github.com/keelson/keelson/controller-manager/internal/owner"
)

const (
	labelService = "kubernetes.io/service-name"
	labelManager = "endpointslice.kubernetes.io/managed-by"
	// manager is Kubernetes' name, so that either implementation takes over the other's slices.
	manager = "endpointslice-controller.k8s.io"

	// capacity is the most endpoints in one slice. More would make every change of one endpoint dearer for every
	// proxy; fewer would make more objects.
	capacity = 100
)

// decision is what to write.
type decision struct {
	create, update, remove []*discoveryv1.EndpointSlice
}

// plan decides about the slices of one Service. existing are the slices that this controller manages for it.
func plan(svc *corev1.Service, pods []*corev1.Pod, existing []*discoveryv1.EndpointSlice, zone func(node string) string) decision {
	want := desired(svc, pods, zone)
	for _, family := range backends.Families(svc) {
		// A Service without endpoints has one empty slice, which says so.
		if !slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(k groupKey) bool { return k.family == family }) {
			want[groupKey{family: family}] = &group{family: family}
		}
	}
	have := map[groupKey][]*discoveryv1.EndpointSlice{}
	var out decision
	for _, slice := range existing {
		if slice.GetMetadata().GetDeletionTimestamp() != nil {
			continue
		}
		key := groupKey{slice.GetAddressType(), keyOf(slice.GetPorts())}
		if _, ok := want[key]; !ok {
			out.remove = append(out.remove, slice)
			continue
		}
		have[key] = append(have[key], slice)
	}
	keys := slices.SortedFunc(maps.Keys(want), func(a, b groupKey) int {
		return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.ports, b.ports))
	})
	for _, key := range keys {
		out.group(svc, want[key], have[key])
	}
	return out
}

// draft is a slice under change.
type draft struct {
	original  *discoveryv1.EndpointSlice
	endpoints []*discoveryv1.Endpoint
	changed   bool
}

func (out *decision) group(svc *corev1.Service, g *group, existing []*discoveryv1.EndpointSlice) {
	slices.SortFunc(existing, func(a, b *discoveryv1.EndpointSlice) int {
		return cmp.Compare(a.GetMetadata().GetName(), b.GetMetadata().GetName())
	})
	labels := labelsOf(svc)
	placed := map[string]bool{}
	drafts := make([]*draft, 0, len(existing)+1)
	for _, slice := range existing {
		drafts = append(drafts, g.keep(slice, placed, labels))
	}
	fresh := make([]*discoveryv1.Endpoint, 0, len(g.order))
	for _, id := range g.order {
		if !placed[id] {
			fresh = append(fresh, g.endpoints[id])
		}
	}
	drafts = place(drafts, fresh)
	// Slices that became empty go, except the last one of a Service without endpoints.
	left := len(drafts)
	for _, d := range drafts {
		switch {
		case d.original == nil:
			out.create = append(out.create, newSlice(svc, g, d.endpoints, labels))
		case len(d.endpoints) == 0 && (left > 1 || len(g.order) > 0):
			left--
			out.remove = append(out.remove, d.original)
		case d.changed:
			out.update = append(out.update, rewritten(d, g, labels))
		}
	}
	if left == 0 {
		out.create = append(out.create, newSlice(svc, g, nil, labels))
	}
}

// keep drops what is gone from a slice and renews what has changed.
func (g *group) keep(slice *discoveryv1.EndpointSlice, placed map[string]bool, labels map[string]string) *draft {
	d := &draft{original: slice, changed: !labelled(slice, labels)}
	for _, ep := range slice.GetEndpoints() {
		id := identity(ep)
		want, ok := g.endpoints[id]
		if !ok || placed[id] {
			d.changed = true
			continue
		}
		placed[id] = true
		if !proto.Equal(ep, want) {
			d.changed = true
		}
		d.endpoints = append(d.endpoints, want)
	}
	return d
}

// place puts new endpoints into slices with room: those that change anyhow first, then the fullest others, then new
// ones.
func place(drafts []*draft, fresh []*discoveryv1.Endpoint) []*draft {
	order := slices.Clone(drafts)
	slices.SortStableFunc(order, func(a, b *draft) int {
		if a.changed != b.changed {
			if a.changed {
				return -1
			}
			return 1
		}
		return cmp.Compare(len(b.endpoints), len(a.endpoints))
	})
	for _, d := range order {
		n := min(len(fresh), capacity-len(d.endpoints))
		if n <= 0 {
			continue
		}
		d.endpoints, fresh, d.changed = append(d.endpoints, fresh[:n]...), fresh[n:], true
	}
	for len(fresh) > 0 {
		n := min(len(fresh), capacity)
		drafts = append(drafts, &draft{endpoints: fresh[:n]})
		fresh = fresh[n:]
	}
	return drafts
}

func newSlice(svc *corev1.Service, g *group, endpoints []*discoveryv1.Endpoint, labels map[string]string) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		Metadata: &metav1.ObjectMeta{
			Namespace:       svc.GetMetadata().GetNamespace(),
			GenerateName:    svc.GetMetadata().GetName() + "-",
			Labels:          labels,
			OwnerReferences: []*metav1.OwnerReference{owner.NewControllerRef("v1", "Service", svc.GetMetadata())},
		},
		AddressType: g.family,
		Endpoints:   endpoints,
		Ports:       g.ports,
	}
}

func rewritten(d *draft, g *group, labels map[string]string) *discoveryv1.EndpointSlice {
	slice := proto.CloneOf(d.original)
	slice.Endpoints = d.endpoints
	slice.Ports = g.ports
	slice.Metadata.Labels = labels
	return slice
}

// labelsOf are the Service's labels, less those that have a meaning on slices, plus the ones that mark its slices.
func labelsOf(svc *corev1.Service) map[string]string {
	out := maps.Clone(svc.GetMetadata().GetLabels())
	if out == nil {
		out = map[string]string{}
	}
	delete(out, backends.LabelHeadless)
	out[labelService] = svc.GetMetadata().GetName()
	out[labelManager] = manager
	if svc.GetSpec().GetClusterIP() == backends.Headless {
		out[backends.LabelHeadless] = ""
	}
	return out
}

func labelled(slice *discoveryv1.EndpointSlice, labels map[string]string) bool {
	return maps.Equal(slice.GetMetadata().GetLabels(), labels)
}

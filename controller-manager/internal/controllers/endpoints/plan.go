package endpoints

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/backends"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

const (
	// capacity is the most addresses in one Endpoints object.
	capacity = 1000

	annotationOverCapacity = "endpoints.kubernetes.io/over-capacity"
	truncated              = "truncated"
	labelManager           = "endpoints.kubernetes.io/managed-by"
	manager                = "endpoint-controller"
)

// subset is the addresses that share their ports.
type subset struct {
	ports           []*corev1.EndpointPort
	ready, notReady []*corev1.EndpointAddress
}

// desired computes the Endpoints of a Service. existing, nil where there is none, lends its metadata.
func desired(svc *corev1.Service, pods []*corev1.Pod, existing *corev1.Endpoints) *corev1.Endpoints {
	subsets, cut := limited(subsetsOf(svc, pods))
	out := &corev1.Endpoints{
		Metadata: &metav1.ObjectMeta{Name: svc.GetMetadata().GetName(), Namespace: svc.GetMetadata().GetNamespace()},
		Subsets:  subsets,
	}
	if existing != nil {
		out.Metadata = proto.CloneOf(existing.GetMetadata())
	}
	out.Metadata.Labels = maps.Clone(svc.GetMetadata().GetLabels())
	if out.Metadata.Labels == nil {
		out.Metadata.Labels = map[string]string{}
	}
	delete(out.Metadata.Labels, backends.LabelHeadless)
	out.Metadata.Labels[labelManager] = manager
	if svc.GetSpec().GetClusterIP() == backends.Headless {
		out.Metadata.Labels[backends.LabelHeadless] = ""
	}
	delete(out.Metadata.Annotations, annotationOverCapacity)
	if cut {
		if out.Metadata.Annotations == nil {
			out.Metadata.Annotations = map[string]string{}
		}
		out.Metadata.Annotations[annotationOverCapacity] = truncated
	}
	return out
}

func subsetsOf(svc *corev1.Service, pods []*corev1.Pod) []*subset {
	family := backends.Families(svc)[0]
	byPorts := map[string]*subset{}
	published := svc.GetSpec().GetPublishNotReadyAddresses()
	for _, pod := range pods {
		address := backends.Address(pod, family)
		if address == "" || !backends.Included(pod) {
			continue
		}
		// Old clients know no terminating state; for them such a pod is gone.
		if pod.GetMetadata().GetDeletionTimestamp() != nil && !published {
			continue
		}
		ports := backends.Ports(svc, pod)
		if len(ports) == 0 && len(svc.GetSpec().GetPorts()) > 0 {
			continue
		}
		key := keyOf(ports)
		s := byPorts[key]
		if s == nil {
			s = &subset{ports: endpointPorts(ports)}
			byPorts[key] = s
		}
		ep := endpointAddress(svc, pod, address)
		if published || podstate.Ready(pod) {
			s.ready = append(s.ready, ep)
		} else {
			s.notReady = append(s.notReady, ep)
		}
	}
	out := make([]*subset, 0, len(byPorts))
	for _, key := range slices.Sorted(maps.Keys(byPorts)) {
		out = append(out, byPorts[key])
	}
	return out
}

func endpointAddress(svc *corev1.Service, pod *corev1.Pod, address string) *corev1.EndpointAddress {
	ep := &corev1.EndpointAddress{
		Ip:       address,
		Hostname: backends.Hostname(svc, pod),
		TargetRef: &corev1.ObjectReference{
			Kind:      "Pod",
			Namespace: pod.GetMetadata().GetNamespace(),
			Name:      pod.GetMetadata().GetName(),
			Uid:       pod.GetMetadata().GetUid(),
		},
	}
	if node := pod.GetSpec().GetNodeName(); node != "" {
		ep.NodeName = proto.String(node)
	}
	return ep
}

func endpointPorts(in []backends.Port) []*corev1.EndpointPort {
	out := make([]*corev1.EndpointPort, 0, len(in))
	for _, p := range in {
		out = append(out, &corev1.EndpointPort{Name: p.Name, Protocol: p.Protocol, Port: p.Number, AppProtocol: p.AppProtocol})
	}
	return out
}

func keyOf(ports []backends.Port) string {
	parts := make([]string, 0, len(ports))
	for _, p := range ports {
		app := ""
		if p.AppProtocol != nil {
			app = *p.AppProtocol
		}
		parts = append(parts, strings.Join([]string{p.Name, p.Protocol, strconv.Itoa(int(p.Number)), app}, "|"))
	}
	slices.Sort(parts)
	return strings.Join(parts, ";")
}

// limited sorts addresses and drops what is beyond the capacity, those that are not ready first.
func limited(in []*subset) (out []*corev1.EndpointSubset, cut bool) {
	room := capacity
	take := func(list []*corev1.EndpointAddress) []*corev1.EndpointAddress {
		slices.SortFunc(list, func(a, b *corev1.EndpointAddress) int { return cmp.Compare(a.GetIp(), b.GetIp()) })
		if len(list) > room {
			list, cut = list[:room], true
		}
		room -= len(list)
		return list
	}
	for _, s := range in {
		s.ready = take(s.ready)
	}
	for _, s := range in {
		s.notReady = take(s.notReady)
	}
	for _, s := range in {
		if len(s.ready)+len(s.notReady) == 0 {
			continue
		}
		out = append(out, &corev1.EndpointSubset{Addresses: s.ready, NotReadyAddresses: s.notReady, Ports: s.ports})
	}
	return out, cut
}

// same compares what this controller writes.
func same(a, b *corev1.Endpoints) bool {
	return maps.Equal(a.GetMetadata().GetLabels(), b.GetMetadata().GetLabels()) &&
		a.GetMetadata().GetAnnotations()[annotationOverCapacity] == b.GetMetadata().GetAnnotations()[annotationOverCapacity] &&
		proto.Equal(&corev1.Endpoints{Subsets: a.GetSubsets()}, &corev1.Endpoints{Subsets: b.GetSubsets()})
}

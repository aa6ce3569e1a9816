package endpointslice

import (
	"slices"
	"strconv"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/backends"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

const labelZone = "topology.kubernetes.io/zone"

// portsKey is the identity of a slice's ports: pods that resolve a named port differently need different slices.
type portsKey string

// group is the endpoints of one family that share their ports.
type group struct {
	family    string
	ports     []*discoveryv1.EndpointPort
	endpoints map[string]*discoveryv1.Endpoint // by identity of the endpoint
	order     []string
}

type groupKey struct {
	family string
	ports  portsKey
}

// desired computes all endpoints of a Service, grouped. zone names a node's zone.
func desired(svc *corev1.Service, pods []*corev1.Pod, zone func(node string) string) map[groupKey]*group {
	out := map[groupKey]*group{}
	for _, family := range backends.Families(svc) {
		for _, pod := range pods {
			address := backends.Address(pod, family)
			if address == "" || !backends.Included(pod) {
				continue
			}
			ports := endpointPorts(backends.Ports(svc, pod))
			key := groupKey{family, keyOf(ports)}
			g := out[key]
			if g == nil {
				g = &group{family: family, ports: ports, endpoints: map[string]*discoveryv1.Endpoint{}}
				out[key] = g
			}
			ep := endpoint(svc, pod, address, zone(pod.GetSpec().GetNodeName()))
			id := identity(ep)
			if _, twice := g.endpoints[id]; !twice {
				g.order = append(g.order, id)
			}
			g.endpoints[id] = ep
		}
	}
	for _, g := range out {
		slices.Sort(g.order)
	}
	return out
}

func endpoint(svc *corev1.Service, pod *corev1.Pod, address, zone string) *discoveryv1.Endpoint {
	serving := podstate.Ready(pod)
	terminating := pod.GetMetadata().GetDeletionTimestamp() != nil
	ep := &discoveryv1.Endpoint{
		Addresses: []string{address},
		Conditions: &discoveryv1.EndpointConditions{
			Ready:       proto.Bool(svc.GetSpec().GetPublishNotReadyAddresses() || (serving && !terminating)),
			Serving:     proto.Bool(serving),
			Terminating: proto.Bool(terminating),
		},
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
	if zone != "" {
		ep.Zone = proto.String(zone)
	}
	if name := backends.Hostname(svc, pod); name != "" {
		ep.Hostname = proto.String(name)
	}
	return ep
}

// identity tells endpoints apart across changes of their conditions: the pod and its address.
func identity(ep *discoveryv1.Endpoint) string {
	return ep.GetTargetRef().GetUid() + "/" + strings.Join(ep.GetAddresses(), ",")
}

func endpointPorts(in []backends.Port) []*discoveryv1.EndpointPort {
	out := make([]*discoveryv1.EndpointPort, 0, len(in))
	for _, p := range in {
		out = append(out, &discoveryv1.EndpointPort{
			Name:        proto.String(p.Name),
			Protocol:    proto.String(p.Protocol),
			Port:        proto.Int32(p.Number),
			AppProtocol: p.AppProtocol,
		})
	}
	return out
}

func keyOf(ports []*discoveryv1.EndpointPort) portsKey {
	parts := make([]string, 0, len(ports))
	for _, p := range ports {
		parts = append(parts, strings.Join([]string{p.GetName(), p.GetProtocol(), strconv.Itoa(int(p.GetPort())), p.GetAppProtocol()}, "|"))
	}
	slices.Sort(parts)
	return portsKey(strings.Join(parts, ";"))
}

package dns

import (
	"net/netip"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"

	"github.com/keelson/keelson/proto/sdk/informer"
)

// Names of the indexes that Cache asks.
const (
	byNamespace = "namespace"
	byAddress   = "address"
)

// Cache is the Source over the proxy's informers.
type Cache struct {
	Services *informer.Informer[*corev1.Service]
	Endpoint *informer.Informer[*discoveryv1.EndpointSlice]
	// SliceIndex is the index of Endpoint by "namespace/service".
	SliceIndex string
}

// ServiceIndexers are what the Services' informer must have.
func ServiceIndexers() map[string]func(*corev1.Service) []string {
	return map[string]func(*corev1.Service) []string{
		byNamespace: func(s *corev1.Service) []string { return []string{s.GetMetadata().GetNamespace()} },
		byAddress:   func(s *corev1.Service) []string { return clusterIPs(s) },
	}
}

// SliceIndexers are what the slices' informer must have besides its index by Service.
func SliceIndexers() map[string]func(*discoveryv1.EndpointSlice) []string {
	return map[string]func(*discoveryv1.EndpointSlice) []string{byAddress: func(s *discoveryv1.EndpointSlice) []string {
		var out []string
		for _, e := range s.GetEndpoints() {
			out = append(out, e.GetAddresses()...)
		}
		return out
	}}
}

// Service implements Source.
func (c *Cache) Service(namespace, name string) (*corev1.Service, bool) {
	return c.Services.Get(namespace, name)
}

// Slices implements Source.
func (c *Cache) Slices(namespace, name string) []*discoveryv1.EndpointSlice {
	return c.Endpoint.ByIndex(c.SliceIndex, namespace+"/"+name)
}

// NamespaceExists implements Source.
func (c *Cache) NamespaceExists(namespace string) bool {
	return len(c.Services.ByIndex(byNamespace, namespace)) > 0
}

// ByAddress implements Source.
func (c *Cache) ByAddress(addr netip.Addr) (namespace, service, host string, ok bool) {
	for _, s := range c.Services.ByIndex(byAddress, addr.String()) {
		return s.GetMetadata().GetNamespace(), s.GetMetadata().GetName(), "", true
	}
	for _, slice := range c.Endpoint.ByIndex(byAddress, addr.String()) {
		name := slice.GetMetadata().GetLabels()["kubernetes.io/service-name"]
		svc, found := c.Services.Get(slice.GetMetadata().GetNamespace(), name)
		if !found || svc.GetSpec().GetClusterIP() != "None" {
			continue
		}
		for _, e := range slice.GetEndpoints() {
			for _, a := range e.GetAddresses() {
				if a == addr.String() {
					return slice.GetMetadata().GetNamespace(), name, HostOf(e.GetHostname(), addr), true
				}
			}
		}
	}
	return "", "", "", false
}

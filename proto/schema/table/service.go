package table

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
)

var (
	_ = register(serviceCells, "spec.type", "spec.clusterIP", "spec.clusterIPs", "spec.ports", "spec.selector", "spec.externalIPs",
		"spec.externalName", "status.loadBalancer")
	_ = register(endpointsCells, "subsets.addresses.ip", "subsets.ports.port")
	_ = register(sliceCells, "addressType", "ports.name", "ports.port", "endpoints.addresses")
)

func serviceCells(s *corev1.Service, now time.Time) []any {
	spec := s.GetSpec()
	cluster := none
	if ips := spec.GetClusterIPs(); len(ips) > 0 {
		cluster = ips[0]
	} else if ip := spec.GetClusterIP(); ip != "" {
		cluster = ip
	}
	var ports []string
	for _, p := range spec.GetPorts() {
		text := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.NodePort > 0 {
			text = fmt.Sprintf("%d:%d/%s", p.Port, p.NodePort, p.Protocol)
		}
		ports = append(ports, text)
	}
	return []any{spec.GetType(), cluster, externalIP(s), or(strings.Join(ports, ","), none), created(s.Metadata, now), pairs(spec.GetSelector())}
}

func externalIP(s *corev1.Service) string {
	spec := s.GetSpec()
	external := strings.Join(spec.GetExternalIPs(), ",")
	switch spec.GetType() {
	case "ClusterIP", "NodePort":
		return or(external, none)
	case "ExternalName":
		return spec.GetExternalName()
	case "LoadBalancer":
		var addresses []string
		for _, i := range s.GetStatus().GetLoadBalancer().GetIngress() {
			if a := or(i.Ip, i.Hostname); a != "" {
				addresses = append(addresses, a)
			}
		}
		text := strings.Join(addresses, ",")
		if external != "" {
			if text != "" {
				return text + "," + external
			}
			return external
		}
		return or(text, "<pending>")
	}
	return unknown
}

func endpointsCells(e *corev1.Endpoints, now time.Time) []any {
	var list []string
	for _, s := range e.Subsets {
		if len(s.Ports) == 0 {
			for _, a := range s.Addresses {
				list = append(list, a.Ip)
			}
			continue
		}
		for _, p := range s.Ports {
			for _, a := range s.Addresses {
				list = append(list, net.JoinHostPort(a.Ip, strconv.Itoa(int(p.Port))))
			}
		}
	}
	if len(e.Subsets) == 0 {
		return []any{none, created(e.Metadata, now)}
	}
	return []any{shorten(list), created(e.Metadata, now)}
}

func sliceCells(s *discoveryv1.EndpointSlice, now time.Time) []any {
	var ports, addresses []string
	for _, p := range s.Ports {
		if p.Port != nil {
			ports = append(ports, strconv.Itoa(int(p.GetPort())))
		} else {
			ports = append(ports, p.GetName())
		}
	}
	for _, e := range s.Endpoints {
		addresses = append(addresses, e.Addresses...)
	}
	return []any{s.AddressType, or(shorten(ports), unset), or(shorten(addresses), unset), created(s.Metadata, now)}
}

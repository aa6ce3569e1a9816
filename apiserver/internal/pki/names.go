package pki

import (
	"net"
	"os"
	"slices"
)

// names lists what the serving certificate has to hold.
func (a *Authority) names() (names []string, ips []net.IP) {
	names = []string{
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc." + a.o.ClusterDomain,
	}
	ips = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	add := func(s string) {
		if s == "" {
			return
		}
		if ip := net.ParseIP(s); ip != nil {
			ips = append(ips, ip)
			return
		}
		names = append(names, s)
	}
	if host, err := os.Hostname(); err == nil {
		add(host)
	}
	if a.o.ServiceRange.IsValid() {
		add(a.o.ServiceRange.Masked().Addr().Next().String())
	}
	add(a.o.AdvertiseAddress)
	for _, n := range a.o.ExtraNames {
		add(n)
	}
	ips = append(ips, a.o.HostAddresses()...)
	slices.Sort(names)
	names = slices.Compact(names)
	var distinct []net.IP
	for _, ip := range ips {
		if !ip.IsUnspecified() && !slices.ContainsFunc(distinct, ip.Equal) {
			distinct = append(distinct, ip)
		}
	}
	return names, distinct
}

// hostAddresses lists the addresses of this machine's links, without the link-local ones that nobody dials by name.
func hostAddresses() []net.IP {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var ips []net.IP
	for _, addr := range addrs {
		if n, ok := addr.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() && !n.IP.IsMulticast() {
			ips = append(ips, n.IP)
		}
	}
	return ips
}

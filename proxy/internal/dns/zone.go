package dns

import (
	"net/netip"
	"strings"

	miekg "github.com/miekg/dns"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
)

// Source is where records come from: the proxy's caches.
type Source interface {
	// Service returns a Service, or false.
	Service(namespace, name string) (*corev1.Service, bool)
	// Slices are the endpoint slices of a Service.
	Slices(namespace, name string) []*discoveryv1.EndpointSlice
	// NamespaceExists tells whether any Service lives there.
	NamespaceExists(namespace string) bool
	// ByAddress returns the Service with the cluster IP, or the Service and host name of an endpoint.
	ByAddress(addr netip.Addr) (namespace, service, host string, ok bool)
}

// ttl of all records, in seconds: short, because endpoints move.
const ttl = 5

// zone answers for the cluster's domain, as the specification of Kubernetes' DNS says.
// https://github.com/kubernetes/dns/blob/master/docs/specification.md
type zone struct {
	domain string // "cluster.local."
	source Source
}

// answer is what the zone says: records, or that the name has none of the type (exists), or that it does not exist.
type answer struct {
	records []miekg.RR
	extra   []miekg.RR
	exists  bool
}

// lookup answers a question for a lower-case name inside the domain.
func (z *zone) lookup(name string, qtype uint16) answer {
	rest := strings.TrimSuffix(strings.TrimSuffix(name, z.domain), ".")
	if rest == "" {
		return answer{exists: true}
	}
	labels := strings.Split(rest, ".")
	kind := labels[len(labels)-1]
	labels = labels[:len(labels)-1]
	switch kind {
	case "svc":
		return z.service(name, labels, qtype)
	case "pod":
		return z.pod(name, labels, qtype)
	case "dns-version":
		if len(labels) == 0 {
			a := answer{exists: true}
			if qtype == miekg.TypeTXT {
				a.records = []miekg.RR{&miekg.TXT{Hdr: header(name, miekg.TypeTXT), Txt: []string{"1.1.0"}}}
			}
			return a
		}
	}
	return answer{}
}

// service answers below svc.<domain>; labels are what stands before it: [host] service namespace, or _port _protocol
// service namespace.
func (z *zone) service(name string, labels []string, qtype uint16) answer {
	n := len(labels)
	if n == 0 {
		return answer{exists: true}
	}
	namespace := labels[n-1]
	if n == 1 {
		return answer{exists: z.source.NamespaceExists(namespace)}
	}
	svc, ok := z.source.Service(namespace, labels[n-2])
	if !ok {
		return answer{}
	}
	fqdn := labels[n-2] + "." + namespace + ".svc." + z.domain
	switch {
	case svc.GetSpec().GetType() == "ExternalName":
		if n != 2 {
			return answer{}
		}
		return answer{exists: true, records: []miekg.RR{&miekg.CNAME{
			Hdr: header(name, miekg.TypeCNAME), Target: miekg.Fqdn(svc.GetSpec().GetExternalName()),
		}}}
	case n == 2:
		return z.addresses(name, svc, "", qtype)
	case n == 3 && svc.GetSpec().GetClusterIP() == "None":
		return z.addresses(name, svc, labels[0], qtype)
	case n == 4 && strings.HasPrefix(labels[0], "_") && strings.HasPrefix(labels[1], "_"):
		return z.ports(name, fqdn, svc, labels[0][1:], labels[1][1:], qtype)
	}
	return answer{}
}

// addresses answers with the cluster IP, or for a headless Service with its endpoints; host restricts to one endpoint.
func (z *zone) addresses(name string, svc *corev1.Service, host string, qtype uint16) answer {
	var a answer
	add := func(s string) {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return
		}
		a.exists = true
		if rr := address(name, addr); rr.Header().Rrtype == qtype || qtype == miekg.TypeANY {
			a.records = append(a.records, rr)
		}
	}
	if svc.GetSpec().GetClusterIP() != "None" {
		for _, ip := range clusterIPs(svc) {
			add(ip)
		}
		return a
	}
	// The Service exists, whether or not it has an endpoint now; a host does not.
	a.exists = host == ""
	for _, e := range z.endpoints(svc) {
		if host == "" || host == e.host {
			add(e.addr.String())
		}
	}
	return a
}

func clusterIPs(svc *corev1.Service) []string {
	if ips := svc.GetSpec().GetClusterIPs(); len(ips) > 0 {
		return ips
	}
	return []string{svc.GetSpec().GetClusterIP()}
}

// endpoint of a headless Service.
type endpoint struct {
	addr netip.Addr
	host string
	port map[string]int32 // "name/PROTOCOL" -> number
}

// endpoints are those that are ready, and all of them where the Service publishes the others too.
func (z *zone) endpoints(svc *corev1.Service) []endpoint {
	var out []endpoint
	for _, slice := range z.source.Slices(svc.GetMetadata().GetNamespace(), svc.GetMetadata().GetName()) {
		ports := map[string]int32{}
		for _, p := range slice.GetPorts() {
			ports[p.GetName()+"/"+p.GetProtocol()] = p.GetPort()
		}
		for _, ep := range slice.GetEndpoints() {
			if c := ep.GetConditions(); c != nil && c.Ready != nil && !c.GetReady() && !svc.GetSpec().GetPublishNotReadyAddresses() {
				continue
			}
			for _, s := range ep.GetAddresses() {
				if addr, err := netip.ParseAddr(s); err == nil {
					out = append(out, endpoint{addr, HostOf(ep.GetHostname(), addr), ports})
				}
			}
		}
	}
	return out
}

// HostOf is the label under which an endpoint is found: its host name, or its address with dashes.
func HostOf(hostname string, addr netip.Addr) string {
	if hostname != "" {
		return hostname
	}
	return strings.NewReplacer(".", "-", ":", "-").Replace(addr.String())
}

// ports answers SRV questions: the Service, or each endpoint of a headless one.
func (z *zone) ports(name, fqdn string, svc *corev1.Service, port, protocol string, qtype uint16) answer {
	var a answer
	add := func(target string, number int32, addr netip.Addr) {
		a.exists = true
		if qtype != miekg.TypeSRV && qtype != miekg.TypeANY {
			return
		}
		a.records = append(a.records, &miekg.SRV{Hdr: header(name, miekg.TypeSRV), Weight: 1, Port: uint16(number), Target: target})
		if addr.IsValid() {
			a.extra = append(a.extra, address(target, addr))
		}
	}
	if svc.GetSpec().GetClusterIP() != "None" {
		for _, p := range svc.GetSpec().GetPorts() {
			if p.GetName() == port && strings.EqualFold(p.GetProtocol(), protocol) {
				addr, _ := netip.ParseAddr(svc.GetSpec().GetClusterIP())
				add(fqdn, p.GetPort(), addr)
			}
		}
		return a
	}
	for _, e := range z.endpoints(svc) {
		if number, ok := e.port[port+"/"+strings.ToUpper(protocol)]; ok {
			add(e.host+"."+fqdn, number, e.addr)
		}
	}
	return a
}

// pod answers a-b-c-d.<namespace>.pod.<domain> with a.b.c.d.
func (z *zone) pod(name string, labels []string, qtype uint16) answer {
	switch len(labels) {
	case 0:
		return answer{exists: true}
	case 1:
		return answer{exists: z.source.NamespaceExists(labels[0])}
	case 2:
		addr, err := netip.ParseAddr(strings.ReplaceAll(labels[0], "-", "."))
		if err != nil || !z.source.NamespaceExists(labels[1]) {
			return answer{}
		}
		a := answer{exists: true}
		if qtype == miekg.TypeA || qtype == miekg.TypeANY {
			a.records = []miekg.RR{address(name, addr)}
		}
		return a
	}
	return answer{}
}

// reverse answers PTR questions; ok is false for addresses that are not the cluster's.
func (z *zone) reverse(name string) (a answer, ok bool) {
	addr, ok := reverseAddress(name)
	if !ok {
		return answer{}, false
	}
	namespace, service, host, ok := z.source.ByAddress(addr)
	if !ok {
		return answer{}, false
	}
	target := service + "." + namespace + ".svc." + z.domain
	if host != "" {
		target = host + "." + target
	}
	return answer{exists: true, records: []miekg.RR{&miekg.PTR{Hdr: header(name, miekg.TypePTR), Ptr: target}}}, true
}

// reverseAddress reads "4.3.2.1.in-addr.arpa.".
func reverseAddress(name string) (netip.Addr, bool) {
	rest, ok := strings.CutSuffix(name, ".in-addr.arpa.")
	if !ok {
		return netip.Addr{}, false
	}
	parts := strings.Split(rest, ".")
	if len(parts) != 4 {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0])
	return addr, err == nil
}

func header(name string, rrtype uint16) miekg.RR_Header {
	return miekg.RR_Header{Name: name, Rrtype: rrtype, Class: miekg.ClassINET, Ttl: ttl}
}

func address(name string, addr netip.Addr) miekg.RR {
	if addr.Is4() {
		return &miekg.A{Hdr: header(name, miekg.TypeA), A: addr.AsSlice()}
	}
	return &miekg.AAAA{Hdr: header(name, miekg.TypeAAAA), AAAA: addr.AsSlice()}
}

package podspec

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// DNS is the cluster's name service.
type DNS struct {
	// Servers answer the cluster's names; Domain is the cluster's own.
	Servers []string
	Domain  string
	// HostFile is the node's resolv.conf.
	HostFile string
}

// resolver is a resolv.conf.
type resolver struct {
	servers, searches, options []string
}

const (
	maxServers  = 3
	maxSearches = 32
)

// ResolvConf renders a pod's resolv.conf.
func (d DNS) ResolvConf(pod *corev1.Pod) (string, error) {
	policy := pod.Spec.DnsPolicy
	if policy == "" || policy == "ClusterFirst" && pod.Spec.HostNetwork {
		policy = map[bool]string{true: "Default", false: "ClusterFirst"}[pod.Spec.HostNetwork]
	}
	if (policy == "ClusterFirst" || policy == "ClusterFirstWithHostNet") && len(d.Servers) == 0 {
		policy = "Default"
	}
	var r resolver
	host, err := readResolver(d.HostFile)
	if err != nil {
		return "", err
	}
	switch policy {
	case "None":
	case "Default":
		r = host
	case "ClusterFirst", "ClusterFirstWithHostNet":
		ns := pod.Metadata.Namespace
		r.servers = slices.Clone(d.Servers)
		r.searches = append([]string{ns + ".svc." + d.Domain, "svc." + d.Domain, d.Domain}, host.searches...)
		r.options = []string{"ndots:5"}
	default:
		return "", fmt.Errorf("dnsPolicy %q is not known", policy)
	}
	if c := pod.Spec.DnsConfig; c != nil {
		r.servers = append(r.servers, c.Nameservers...)
		r.searches = append(r.searches, c.Searches...)
		for _, o := range c.Options {
			option := o.Name
			if o.Value != nil && *o.Value != "" {
				option += ":" + *o.Value
			}
			r.options = slices.DeleteFunc(r.options, func(have string) bool {
				name, _, _ := strings.Cut(have, ":")
				return name == o.Name
			})
			r.options = append(r.options, option)
		}
	}
	return r.String(), nil
}

func (r resolver) String() string {
	var b strings.Builder
	if s := unique(r.searches, maxSearches); len(s) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(s, " "))
	}
	for _, s := range unique(r.servers, maxServers) {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(r.options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(r.options, " "))
	}
	return b.String()
}

func unique(list []string, limit int) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) && len(out) < limit {
			out = append(out, s)
		}
	}
	return out
}

func readResolver(path string) (resolver, error) {
	var r resolver
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			r.servers = append(r.servers, fields[1])
		case "search", "domain":
			r.searches = nil
			for _, s := range fields[1:] {
				if s != "." {
					r.searches = append(r.searches, s)
				}
			}
		case "options":
			r.options = fields[1:]
		}
	}
	return r, lines.Err()
}

// Hostname is a pod's own host name, and its full one where it has a subdomain.
func (d DNS) Hostname(pod *corev1.Pod) (host, full string) {
	if o := pod.Spec.GetHostnameOverride(); o != "" {
		return o, ""
	}
	host = pod.Spec.Hostname
	if host == "" {
		host = pod.Metadata.Name
	}
	if len(host) > 63 {
		host = strings.TrimRight(host[:63], "-.")
	}
	if pod.Spec.Subdomain != "" {
		full = strings.Join([]string{host, pod.Spec.Subdomain, pod.Metadata.Namespace, "svc", d.Domain}, ".")
		if pod.Spec.GetSetHostnameAsFQDN() {
			host = full
		}
	}
	return host, full
}

// Hosts renders a pod's /etc/hosts. A pod on the node's network gets the node's, with its aliases.
func (d DNS) Hosts(pod *corev1.Pod, addresses []string) (string, error) {
	var b strings.Builder
	if pod.Spec.HostNetwork {
		own, err := os.ReadFile("/etc/hosts")
		if err != nil && !os.IsNotExist(err) {
			return "", err
		}
		fmt.Fprintf(&b, "# Kubernetes-managed hosts file (host network).\n%s", own)
	} else {
		b.WriteString("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
			"fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n")
		host, full := d.Hostname(pod)
		for _, a := range addresses {
			if full != "" && full != host {
				fmt.Fprintf(&b, "%s\t%s\t%s\n", a, full, host)
			} else {
				fmt.Fprintf(&b, "%s\t%s\n", a, host)
			}
		}
	}
	if len(pod.Spec.HostAliases) > 0 {
		b.WriteString("\n# Entries added by HostAliases.\n")
	}
	for _, a := range pod.Spec.HostAliases {
		fmt.Fprintf(&b, "%s\t%s\n", a.Ip, strings.Join(a.Hostnames, "\t"))
	}
	return b.String(), nil
}

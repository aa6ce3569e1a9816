package node

import (
	"slices"
	"strings"
)

// ownLabels are the reserved labels that a node may set on itself.
var ownLabels = []string{
	"kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os",
	"topology.kubernetes.io/zone", "topology.kubernetes.io/region",
	"failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
	"node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type", "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
}

// ownDomains are the reserved domains in which a node may set any label on itself.
var ownDomains = []string{"kubelet.kubernetes.io", "node.kubernetes.io"}

// forbiddenLabels picks the labels that a node may not set on itself: workloads that must not run beside others are kept
// apart by labels of node-restriction.kubernetes.io, and the rest of Kubernetes' domains is not a node's to use.
func forbiddenLabels(keys []string) []string {
	var out []string
	for _, key := range keys {
		domain, _, ok := strings.Cut(key, "/")
		if !ok {
			continue
		}
		if in(domain, "node-restriction.kubernetes.io") {
			out = append(out, key)
			continue
		}
		if !in(domain, "kubernetes.io") && !in(domain, "k8s.io") || slices.Contains(ownLabels, key) {
			continue
		}
		if !slices.ContainsFunc(ownDomains, func(own string) bool { return in(domain, own) }) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// in tells whether a domain is another or below it.
func in(domain, parent string) bool {
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}

// changedKeys lists the labels that were added, removed or given another value.
func changedKeys(old, now map[string]string) []string {
	var keys []string
	for k, v := range now {
		if was, ok := old[k]; !ok || was != v {
			keys = append(keys, k)
		}
	}
	for k := range old {
		if _, ok := now[k]; !ok {
			keys = append(keys, k)
		}
	}
	return keys
}

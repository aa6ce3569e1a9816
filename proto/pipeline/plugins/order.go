package plugins

import (
	"slices"

	"github.com/keelson/keelson/proto/pipeline/admission"
)

// order is Kubernetes' order of the plugins. Those that others know nothing of run before the ones that users write
// themselves; the quota comes last, so that nothing is counted that somebody then refuses.
var order = []string{
	"NamespaceLifecycle", "LimitRanger", "ServiceAccount", "NodeRestriction", "TaintNodesByCondition", "PodSecurity", "Priority",
	"DefaultTolerationSeconds", "DefaultStorageClass", "StorageObjectInUseProtection", "PersistentVolumeClaimResize", "RuntimeClass",
	"CertificateApproval", "CertificateSigning", "ClusterTrustBundleAttest", "CertificateSubjectRestriction", "DefaultIngressClass",
	"PodTopologyLabels", "", // "" is where unknown plugins are
	"MutatingAdmissionPolicy", "MutatingAdmissionWebhook", "ValidatingAdmissionPolicy", "ValidatingAdmissionWebhook", "ResourceQuota",
}

// Sort brings plugins into Kubernetes' order.
func Sort(list []admission.Plugin) {
	rank := func(p admission.Plugin) int {
		if i := slices.Index(order, p.Name()); i >= 0 {
			return i
		}
		return slices.Index(order, "")
	}
	slices.SortStableFunc(list, func(a, b admission.Plugin) int { return rank(a) - rank(b) })
}

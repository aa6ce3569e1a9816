package watchcache

import "slices"

// Older names, by kind, the versions in which earlier releases of Kubernetes have stored objects whose bytes mean the
// same in the version stored now. An object in one of them is read as it is and written in the new version.
var Older = map[string][]string{
	"CSIDriver":                        {"storage.k8s.io/v1beta1"},
	"CSINode":                          {"storage.k8s.io/v1beta1"},
	"CSIStorageCapacity":               {"storage.k8s.io/v1alpha1", "storage.k8s.io/v1beta1"},
	"ClusterRole":                      {"rbac.authorization.k8s.io/v1beta1"},
	"ClusterRoleBinding":               {"rbac.authorization.k8s.io/v1beta1"},
	"ClusterTrustBundle":               {"certificates.k8s.io/v1alpha1", "certificates.k8s.io/v1beta1"},
	"ControllerRevision":               {"apps/v1beta1", "apps/v1beta2"},
	"CronJob":                          {"batch/v1beta1"},
	"DaemonSet":                        {"apps/v1beta2"},
	"Deployment":                       {"apps/v1beta2"},
	"FlowSchema":                       {"flowcontrol.apiserver.k8s.io/v1beta1", "flowcontrol.apiserver.k8s.io/v1beta2", "flowcontrol.apiserver.k8s.io/v1beta3"},
	"IPAddress":                        {"networking.k8s.io/v1beta1"},
	"IngressClass":                     {"networking.k8s.io/v1beta1"},
	"Lease":                            {"coordination.k8s.io/v1beta1"},
	"MutatingAdmissionPolicy":          {"admissionregistration.k8s.io/v1alpha1", "admissionregistration.k8s.io/v1beta1"},
	"MutatingAdmissionPolicyBinding":   {"admissionregistration.k8s.io/v1alpha1", "admissionregistration.k8s.io/v1beta1"},
	"NetworkPolicy":                    {"extensions/v1beta1"},
	"PodDisruptionBudget":              {"policy/v1beta1"},
	"PriorityClass":                    {"scheduling.k8s.io/v1beta1"},
	"PriorityLevelConfiguration":       {"flowcontrol.apiserver.k8s.io/v1beta3"},
	"ReplicaSet":                       {"apps/v1beta2", "extensions/v1beta1"},
	"Role":                             {"rbac.authorization.k8s.io/v1beta1"},
	"RoleBinding":                      {"rbac.authorization.k8s.io/v1beta1"},
	"RuntimeClass":                     {"node.k8s.io/v1beta1"},
	"ServiceCIDR":                      {"networking.k8s.io/v1beta1"},
	"StatefulSet":                      {"apps/v1beta1", "apps/v1beta2"},
	"StorageClass":                     {"storage.k8s.io/v1beta1"},
	"StorageVersionMigration":          {"storagemigration.k8s.io/v1beta1"},
	"ValidatingAdmissionPolicy":        {"admissionregistration.k8s.io/v1alpha1", "admissionregistration.k8s.io/v1beta1"},
	"ValidatingAdmissionPolicyBinding": {"admissionregistration.k8s.io/v1alpha1", "admissionregistration.k8s.io/v1beta1"},
	"VolumeAttachment":                 {"storage.k8s.io/v1alpha1", "storage.k8s.io/v1beta1"},
	"VolumeAttributesClass":            {"storage.k8s.io/v1alpha1", "storage.k8s.io/v1beta1"},
}

// older tells whether a kind that is no custom one was stored in a version before.
func older(apiVersion, kind string) bool { return slices.Contains(Older[kind], apiVersion) }

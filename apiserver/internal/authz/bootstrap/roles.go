package bootstrap

import (
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
)

const health = "/healthz /healthz/* /livez /livez/* /readyz /readyz/*"

// ClusterRoles are the ClusterRoles that every cluster has: Kubernetes' names, so that manifests which refer to them
// work, with the rights that Keelson's components need.
func ClusterRoles() []*rbacv1.ClusterRole {
	return append(peopleRoles(), componentRoles()...)
}

// peopleRoles are those that people are given, and those that everybody has.
func peopleRoles() []*rbacv1.ClusterRole {
	return []*rbacv1.ClusterRole{
		clusterRole("cluster-admin", allow("*", "*", "*"), paths("*", "*")),
		aggregated("admin"),
		feeds("admin", aggregated("edit")),
		feeds("edit", aggregated("view")),
		feeds("admin", clusterRole("system:aggregate-to-admin",
			allow("create", "authorization.k8s.io", "localsubjectaccessreviews"),
			allow(both, "rbac.authorization.k8s.io", "roles rolebindings"),
		)),
		feeds("edit", clusterRole("system:aggregate-to-edit",
			allow(read, "core", "pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy"),
			allow("impersonate", "core", "serviceaccounts"),
			allow(write, "core", "pods pods/attach pods/proxy pods/exec pods/portforward"),
			allow("create", "core", "pods/eviction"),
			allow(write, "core", "replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy "+
				"configmaps secrets events persistentvolumeclaims"),
			allow("create", "core", "serviceaccounts/token"),
			allow(write, "apps", "statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback "+
				"replicasets replicasets/scale"),
			allow(write, "autoscaling", "horizontalpodautoscalers"),
			allow(write, "batch", "jobs cronjobs"),
			allow(write, "policy", "poddisruptionbudgets"),
			allow(write, "networking.k8s.io", "networkpolicies ingresses"),
			allow(both, "coordination.k8s.io", "leases"),
			allow(write, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
		)),
		feeds("view", clusterRole("system:aggregate-to-view",
			allow(read, "core", "pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status "+
				"endpoints persistentvolumeclaims persistentvolumeclaims/status configmaps"),
			allow(read, "core", "limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status "+
				"replicationcontrollers/status pods/log"),
			allow(read, "core", "namespaces"),
			allow(read, "discovery.k8s.io", "endpointslices"),
			allow(read, "apps", "controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status "+
				"deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale"),
			allow(read, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
			allow(read, "batch", "jobs jobs/status cronjobs cronjobs/status"),
			allow(read, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
			allow(read, "networking.k8s.io", "networkpolicies ingresses ingresses/status"),
			allow(read, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
		)),
		clusterRole("system:basic-user",
			allow("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
			allow("create", "authentication.k8s.io", "selfsubjectreviews"),
		),
		clusterRole("system:discovery",
			paths("get", "/livez /readyz /healthz /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*"),
		),
		clusterRole("system:public-info-viewer", paths("get", "/healthz /livez /readyz /version /version/")),
		clusterRole("system:monitoring", paths("get", "/metrics /metrics/slis "+health)),
		clusterRole("system:service-account-issuer-discovery",
			paths("get", "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/"),
		),
	}
}

const (
	events     = "core events.k8s.io"
	leases     = "coordination.k8s.io"
	recordings = "create patch update"
)

// componentRoles are those of the programs that make up a cluster, and of those that extend it.
func componentRoles() []*rbacv1.ClusterRole {
	return []*rbacv1.ClusterRole{
		clusterRole("system:kube-scheduler",
			allow(recordings, events, "events"),
			allow("create", leases, "leases"),
			named(allow("get update patch", leases, "leases"), "kube-scheduler"),
			allow("list watch", leases, "leases"),
			allow(read, "core", "nodes namespaces replicationcontrollers services persistentvolumeclaims persistentvolumes"),
			allow("get list watch delete", "core", "pods"),
			allow("create", "core", "bindings pods/binding"),
			allow("patch update", "core", "pods/status"),
			allow(read, "apps", "replicasets statefulsets"),
			allow(read, "policy", "poddisruptionbudgets"),
			allow(read, "scheduling.k8s.io", "priorityclasses"),
			allow(read, "storage.k8s.io", "storageclasses csinodes csidrivers csistoragecapacities volumeattachments"),
			allow("update patch", "core", "persistentvolumeclaims persistentvolumes"),
			allow("create", "authentication.k8s.io", "tokenreviews"),
			allow("create", "authorization.k8s.io", "subjectaccessreviews"),
		),
		// All controllers run under this one identity. Garbage collection and the emptying of namespaces speak of every
		// kind there is or will be, which is why reading, changing and deleting are not narrowed down; what may be
		// created is. Granting rights is not among it: that needs "escalate" and "bind", which are not given.
		clusterRole("system:kube-controller-manager",
			allow("get list watch update patch delete deletecollection", "*", "*"),
			allow("create", "core", "pods configmaps secrets serviceaccounts endpoints services persistentvolumeclaims "+
				"persistentvolumes replicationcontrollers namespaces"),
			allow("create", "core", "serviceaccounts/token pods/eviction"),
			allow("create", "apps", "replicasets controllerrevisions"),
			allow("create", "batch", "jobs"),
			allow("create", "discovery.k8s.io", "endpointslices"),
			allow("create", "storage.k8s.io", "volumeattachments"),
			allow("create", "policy", "poddisruptionbudgets"),
			allow("create", "certificates.k8s.io", "certificatesigningrequests"),
			allow("approve sign", "certificates.k8s.io", "signers"),
			allow("create", leases, "leases"),
			allow(recordings, events, "events"),
			allow("create", "authentication.k8s.io", "tokenreviews"),
			allow("create", "authorization.k8s.io", "subjectaccessreviews"),
			paths("get", "/api /api/* /apis /apis/* /openapi /openapi/* /version"),
		),
		clusterRole("system:node", NodeRules()...),
		clusterRole("system:node-proxier",
			allow("list watch", "core", "services endpoints namespaces"),
			allow(read, "core", "nodes pods"),
			allow(recordings, events, "events"),
			allow("list watch", "discovery.k8s.io", "endpointslices"),
			allow("list watch", "networking.k8s.io", "networkpolicies servicecidrs ingresses ingressclasses"),
		),
		clusterRole("system:node-problem-detector",
			allow("get", "core", "nodes"), allow("patch", "core", "nodes/status"), allow(recordings, events, "events"),
		),
		clusterRole("system:kubelet-api-admin",
			allow(read, "core", "nodes"),
			allow("*", "core", "nodes/proxy nodes/log nodes/stats nodes/metrics nodes/healthz nodes/pods nodes/configz"),
		),
		clusterRole("system:node-bootstrapper",
			allow("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
		),
		// Whoever is bound to these gets the certificates that he asks for without anybody's approval.
		clusterRole("system:certificates.k8s.io:certificatesigningrequests:nodeclient",
			allow("create", "certificates.k8s.io", "certificatesigningrequests/nodeclient"),
		),
		clusterRole("system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
			allow("create", "certificates.k8s.io", "certificatesigningrequests/selfnodeclient"),
		),
		approver("kube-apiserver-client"), approver("kube-apiserver-client-kubelet"), approver("kubelet-serving"), approver("legacy-unknown"),
		clusterRole("system:auth-delegator",
			allow("create", "authentication.k8s.io", "tokenreviews"),
			allow("create", "authorization.k8s.io", "subjectaccessreviews"),
		),
		clusterRole("system:kube-aggregator", allow(read, "core", "services endpoints")),
		clusterRole("system:kube-dns",
			allow("list watch", "core", "endpoints services"), allow("list watch", "discovery.k8s.io", "endpointslices"),
		),
		clusterRole("system:persistent-volume-provisioner",
			allow("get list watch create delete", "core", "persistentvolumes"),
			allow("get list watch update", "core", "persistentvolumeclaims"),
			allow(read, "storage.k8s.io", "storageclasses"),
			allow("watch", "core", "events"),
			allow(recordings, events, "events"),
		),
	}
}

// approver may approve requests for one of Kubernetes' signers.
func approver(signer string) *rbacv1.ClusterRole {
	return clusterRole("system:certificates.k8s.io:"+signer+"-approver",
		named(allow("approve", "certificates.k8s.io", "signers"), "kubernetes.io/"+signer))
}

// NodeRules are what a node may ask for; the node authorizer narrows it down to what concerns the node.
func NodeRules() []*rbacv1.PolicyRule {
	return []*rbacv1.PolicyRule{
		allow("create", "authentication.k8s.io", "tokenreviews"),
		allow("create", "authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews"),
		allow(read, "core", "services"),
		// A kubelet holds SIGTERM back until no EndpointSlice leads to the pod any more.
		allow(read, "discovery.k8s.io", "endpointslices"),
		allow("create get list watch update patch", "core", "nodes"),
		allow("update patch", "core", "nodes/status"),
		allow(recordings, events, "events"),
		allow("get list watch create delete", "core", "pods"),
		allow("update patch", "core", "pods/status"),
		allow("create", "core", "pods/eviction"),
		allow(read, "core", "secrets configmaps"),
		allow("get", "core", "persistentvolumeclaims persistentvolumes endpoints"),
		allow("create", "core", "serviceaccounts/token"),
		allow("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
		allow("get create update patch delete", leases, "leases"),
		allow("get", "storage.k8s.io", "volumeattachments"),
		allow(read, "storage.k8s.io", "csidrivers"),
		allow(read, "node.k8s.io", "runtimeclasses"),
	}
}

// Bindings are the ClusterRoleBindings that every cluster has.
func Bindings() []*rbacv1.ClusterRoleBinding {
	return []*rbacv1.ClusterRoleBinding{
		bind("cluster-admin", "Group/system:masters"),
		bind("system:monitoring", "Group/system:monitoring"),
		bind("system:discovery", "Group/system:authenticated"),
		bind("system:basic-user", "Group/system:authenticated"),
		bind("system:public-info-viewer", "Group/system:authenticated", "Group/system:unauthenticated"),
		bind("system:node-proxier", "User/system:kube-proxy"),
		bind("system:kube-scheduler", "User/system:kube-scheduler"),
		bind("system:kube-controller-manager", "User/system:kube-controller-manager"),
		bind("system:node"), // nodes are the node authorizer's; the binding is there to be given subjects
		bind("system:service-account-issuer-discovery", "Group/system:serviceaccounts"),
	}
}

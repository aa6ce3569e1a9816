package api

import (
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kind is one of those that the random tests write and read.
type kind struct {
	group, version, plural, kind string
	path                         string // in etcd, below /registry/
	namespaced                   bool
	fields                       bool // has spec.nodeName and status.phase
	list                         func() runtime.Object
	make                         func(metav1.ObjectMeta, int) typed
}

// typed is an object of client-go that can be made protobuf.
type typed interface {
	runtime.Object
	metav1.Object
	Marshal() ([]byte, error)
}

func (k *kind) gv() schema.GroupVersion {
	return schema.GroupVersion{Group: k.group, Version: k.version}
}

var kinds = []*kind{
	{version: "v1", plural: "configmaps", kind: "ConfigMap", path: "configmaps", namespaced: true,
		list: func() runtime.Object { return &corev1.ConfigMapList{} },
		make: func(m metav1.ObjectMeta, n int) typed {
			return &corev1.ConfigMap{ObjectMeta: m, Data: map[string]string{"n": fmt.Sprint(n)}}
		}},
	{version: "v1", plural: "pods", kind: "Pod", path: "pods", namespaced: true, fields: true,
		list: func() runtime.Object { return &corev1.PodList{} },
		make: func(m metav1.ObjectMeta, n int) typed {
			return &corev1.Pod{ObjectMeta: m, Spec: corev1.PodSpec{
				NodeName: fmt.Sprint("node-", n%2), Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
		}},
	{group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease", path: "leases", namespaced: true,
		list: func() runtime.Object { return &coordinationv1.LeaseList{} },
		make: func(m metav1.ObjectMeta, n int) typed {
			return &coordinationv1.Lease{ObjectMeta: m, Spec: coordinationv1.LeaseSpec{HolderIdentity: new(fmt.Sprint("h", n))}}
		}},
	{version: "v1", plural: "nodes", kind: "Node", path: "minions",
		list: func() runtime.Object { return &corev1.NodeList{} },
		make: func(m metav1.ObjectMeta, n int) typed {
			return &corev1.Node{ObjectMeta: m, Spec: corev1.NodeSpec{Unschedulable: n%2 == 1}}
		}},
}

var (
	namespaces = []string{"a", "a-b", "c"} // in etcd "a-b/" sorts before "a/"
	colors     = []string{"red", "green", "blue"}
)

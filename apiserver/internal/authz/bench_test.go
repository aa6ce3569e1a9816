package authz

import (
	"context"
	"fmt"
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"

	"github.com/keelson/keelson/apiserver/internal/authz/bootstrap"
)

// BenchmarkAuthorize asks what components ask all day, in a cluster of 1000 nodes and 10,000 pods.
func BenchmarkAuthorize(b *testing.B) {
	z := New(Options{})
	for _, role := range bootstrap.ClusterRoles() {
		z.index.SetRole("", role.GetMetadata().GetName(), role.GetRules())
	}
	for _, x := range bootstrap.Bindings() {
		z.index.SetBinding("", x.GetMetadata().GetName(), x.GetRoleRef(), x.GetSubjects())
	}
	for i := range 10000 {
		z.graph.SetPod(&corev1.Pod{
			Metadata: &metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("p", i)},
			Spec: &corev1.PodSpec{NodeName: fmt.Sprint("n", i%1000), ServiceAccountName: "default", Volumes: []*corev1.Volume{
				{VolumeSource: &corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: fmt.Sprint("s", i)}}},
			}},
		})
	}
	scheduler := &identity.User{Name: "system:kube-scheduler", Groups: []string{identity.GroupAuthenticated}}
	controllers := &identity.User{Name: "system:kube-controller-manager", Groups: []string{identity.GroupAuthenticated}}
	kubelet := &identity.User{Name: "system:node:n7", Groups: []string{identity.GroupNodes, identity.GroupAuthenticated}}
	cases := []struct {
		name string
		a    pipeline.Attributes
	}{
		{"scheduler binds", pipeline.Attributes{User: scheduler, Verb: "create", Resource: "pods", Subresource: "binding", Namespace: "shop", Name: "p1"}},
		{"controller creates a pod", pipeline.Attributes{User: controllers, Verb: "create", Resource: "pods", Namespace: "shop"}},
		{"controller updates a status", pipeline.Attributes{User: controllers, Verb: "update", Group: "apps", Resource: "replicasets", Subresource: "status", Namespace: "shop", Name: "r"}},
		{"kubelet reads a secret", pipeline.Attributes{User: kubelet, Verb: "get", Resource: "secrets", Namespace: "shop", Name: "s7"}},
		{"kubelet updates a pod's status", pipeline.Attributes{User: kubelet, Verb: "update", Resource: "pods", Subresource: "status", Namespace: "shop", Name: "p7"}},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d, reason, _ := z.Authorize(context.Background(), c.a); d != pipeline.Allow {
					b.Fatal(reason)
				}
			}
		})
	}
}

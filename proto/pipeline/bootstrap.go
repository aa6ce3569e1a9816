package pipeline

import (
	"context"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	networkingv1 "github.com/keelson/keelson/proto/gen/keelson/networking/v1"
	schedulingv1 "github.com/keelson/keelson/proto/gen/keelson/scheduling/v1"
	"github.com/keelson/keelson/proto/pipeline/kinds/networking"
)

// serverManager is the field manager of what the server writes by itself.
const serverManager = "keelson-apiserver"

// bootstrap creates what every cluster has. Several servers may do so at once: what is there is left alone.
func (s *Server) bootstrap(ctx context.Context) error {
	for _, name := range []string{"default", "kube-system", "kube-public", "kube-node-lease"} {
		if err := s.ensure(ctx, "", "namespaces", &corev1.Namespace{Metadata: &metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	for name, value := range map[string]int32{"system-node-critical": 2000001000, "system-cluster-critical": 2000000000} {
		description := "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
		if name == "system-node-critical" {
			description = "Used for system critical pods that must not be moved from their current node."
		}
		class := &schedulingv1.PriorityClass{Metadata: &metav1.ObjectMeta{Name: name}, Value: value, Description: description}
		if err := s.ensure(ctx, "scheduling.k8s.io", "priorityclasses", class); err != nil {
			return err
		}
	}
	if s.cfg.ClusterIPRange.IsValid() {
		return s.ensure(ctx, "networking.k8s.io", "servicecidrs", &networkingv1.ServiceCIDR{
			Metadata: &metav1.ObjectMeta{Name: networking.DefaultCIDR},
			Spec:     &networkingv1.ServiceCIDRSpec{Cidrs: []string{s.cfg.ClusterIPRange.Masked().String()}},
		})
	}
	return nil
}

// ensure creates an object unless it exists.
func (s *Server) ensure(ctx context.Context, group, resource string, obj Object) error {
	meta := obj.GetMetadata()
	r, err := access{s}.request(group, resource, meta.GetNamespace(), meta.GetName())
	if err != nil {
		return err
	}
	if _, ok := r.res.objects.Get(r.namespace, r.name); ok {
		return nil
	}
	r.manager = serverManager
	_, err = r.create(ctx, obj, nil)
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

package schema_test

import (
	"testing"

	"github.com/keelson/keelson/proto/schema"
)

func TestBuiltinFindsKinds(t *testing.T) {
	r := schema.Builtin()
	for _, c := range []struct{ group, version, plural, kind, list, apiVersion string }{
		{"", "v1", "pods", "Pod", "PodList", "v1"},
		{"", "", "pods", "Pod", "PodList", "v1"},
		{"apps", "v1", "deployments", "Deployment", "DeploymentList", "apps/v1"},
		{"autoscaling", "", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "HorizontalPodAutoscalerList", "autoscaling/v2"},
		{"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "ClusterRoleList", "rbac.authorization.k8s.io/v1"},
	} {
		k, ok := r.ByResource(c.group, c.version, c.plural)
		if !ok {
			t.Errorf("%s/%s %s not found", c.group, c.version, c.plural)
			continue
		}
		if k.Kind != c.kind || k.ListKind != c.list || k.APIVersion() != c.apiVersion {
			t.Errorf("%s: got %s %s %s", c.plural, k.Kind, k.ListKind, k.APIVersion())
		}
		if again, _ := r.ByKind(c.group, k.Version, c.kind); again != k {
			t.Errorf("%s: ByKind finds another", c.kind)
		}
		if again, _ := r.ByMessage(k.Descriptor.FullName()); again != k {
			t.Errorf("%s: ByMessage finds another", c.kind)
		}
	}
	if _, ok := r.ByResource("", "v1", "deployments"); ok {
		t.Error("found a kind in the wrong group")
	}
}

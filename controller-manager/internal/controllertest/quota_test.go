package controllertest

import (
	"testing"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

func TestResourceQuota(t *testing.T) {
	c := Start(t, nil, "resourcequota", "deployment", "replicaset", "garbagecollector")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	quantity := func(s string) *metav1.Quantity { return &metav1.Quantity{String_: s} }
	apitest.Create(t, c.Server, &corev1.ResourceQuota{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "most"},
		Spec: &corev1.ResourceQuotaSpec{Hard: map[string]*metav1.Quantity{
			"pods": quantity("10"), "requests.cpu": quantity("5"), "count/deployments.apps": quantity("3"), "configmaps": quantity("2"),
		}},
	})
	used := func(pods, cpu, deployments, configMaps string) func(*corev1.ResourceQuota) bool {
		return func(q *corev1.ResourceQuota) bool {
			u := q.GetStatus().GetUsed()
			return u["pods"].GetString_() == pods && u["requests.cpu"].GetString_() == cpu && u["count/deployments.apps"].GetString_() == deployments &&
				u["configmaps"].GetString_() == configMaps && q.GetStatus().GetHard()["pods"].GetString_() == "10"
		}
	}
	apitest.Await(t, c.Server, "default", "most", used("0", "0", "0", "0"))
	d := deployment("web", 4)
	d.Spec.Template.Spec.Containers[0].Resources = &corev1.ResourceRequirements{Requests: map[string]*metav1.Quantity{"cpu": quantity("250m")}}
	apitest.Create(t, c.Server, d)
	c.configMap(t, "a", false)
	apitest.Await(t, c.Server, "default", "most", used("4", "1", "1", "1"))
	c.change("web", func(d *appsv1.Deployment) { d.Spec.Replicas = proto.Int32(1) })
	c.deleteConfigMap(t, "a", "")
	apitest.Await(t, c.Server, "default", "most", used("1", "250m", "1", "0"))
	if err := client.For[*appsv1.Deployment](c.Conn).Delete(t.Context(), "default", "web"); err != nil {
		t.Fatal(err)
	}
	apitest.Await(t, c.Server, "default", "most", used("0", "0", "0", "0"))
}

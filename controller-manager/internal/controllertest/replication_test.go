package controllertest

import (
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

func TestReplicationController(t *testing.T) {
	c := Start(t, nil, "replicationcontroller", "garbagecollector")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	apitest.Create(t, c.Server, &corev1.ReplicationController{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "old"},
		Spec:     &corev1.ReplicationControllerSpec{Replicas: proto.Int32(3), Selector: map[string]string{"app": "web"}, Template: Template("v1")},
	})
	ready := func(n int32) func(*corev1.ReplicationController) bool {
		return func(rc *corev1.ReplicationController) bool {
			s := rc.GetStatus()
			return s.GetReadyReplicas() == n && s.GetReplicas() == n && s.GetAvailableReplicas() == n &&
				s.GetObservedGeneration() == rc.GetMetadata().GetGeneration()
		}
	}
	apitest.Await(t, c.Server, "default", "old", ready(3))
	if _, err := client.For[*corev1.ReplicationController](c.Conn).Patch(t.Context(), "default", "old", client.MergePatch, []byte(`{"spec":{"replicas":1}}`)); err != nil {
		t.Fatal(err)
	}
	apitest.Await(t, c.Server, "default", "old", ready(1))
	if err := client.For[*corev1.ReplicationController](c.Conn).Delete(t.Context(), "default", "old", client.DeleteOptions{PropagationPolicy: client.Foreground}); err != nil {
		t.Fatal(err)
	}
	apitest.AwaitGone[*corev1.ReplicationController](t, c.Server, "default", "old")
	if n := active(t, c, "web"); n != 0 {
		t.Errorf("%d pods are left", n)
	}
}

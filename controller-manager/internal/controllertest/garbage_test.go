package controllertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

// configMap makes a ConfigMap that is owned by others.
func (c *Cluster) configMap(t *testing.T, name string, block bool, owners ...*corev1.ConfigMap) *corev1.ConfigMap {
	t.Helper()
	m := &metav1.ObjectMeta{Namespace: "default", Name: name}
	for _, o := range owners {
		m.OwnerReferences = append(m.OwnerReferences, &metav1.OwnerReference{
			ApiVersion: "v1", Kind: "ConfigMap", Name: o.GetMetadata().GetName(), Uid: o.GetMetadata().GetUid(), BlockOwnerDeletion: proto.Bool(block),
		})
	}
	return apitest.Create(t, c.Server, &corev1.ConfigMap{Metadata: m})
}

func (c *Cluster) deleteConfigMap(t *testing.T, name, policy string) {
	t.Helper()
	if err := client.For[*corev1.ConfigMap](c.Conn).Delete(t.Context(), "default", name, client.DeleteOptions{PropagationPolicy: policy}); err != nil {
		t.Fatal(err)
	}
}

func TestGarbageBackground(t *testing.T) {
	c := Start(t, nil, "garbagecollector")
	a := c.configMap(t, "a", false)
	b := c.configMap(t, "b", false, a)
	c.configMap(t, "c", false, b)
	other := c.configMap(t, "other", false)
	c.configMap(t, "shared", false, a, other)
	c.deleteConfigMap(t, "a", client.Background)
	apitest.AwaitGone[*corev1.ConfigMap](t, c.Server, "default", "c")
	apitest.Await(t, c.Server, "default", "shared", func(m *corev1.ConfigMap) bool {
		refs := m.GetMetadata().GetOwnerReferences()
		return len(refs) == 1 && refs[0].GetUid() == other.GetMetadata().GetUid()
	})
}

func TestGarbageForeground(t *testing.T) {
	c := Start(t, nil, "garbagecollector")
	a := c.configMap(t, "a", false)
	b := c.configMap(t, "b", true, a)
	held := c.configMap(t, "held", true, b)
	held.Metadata.Finalizers = []string{"example.com/hold"}
	held, err := client.For[*corev1.ConfigMap](c.Conn).Update(t.Context(), held)
	if err != nil {
		t.Fatal(err)
	}
	c.deleteConfigMap(t, "a", client.Foreground)
	apitest.Await(t, c.Server, "default", "held", func(m *corev1.ConfigMap) bool { return m.GetMetadata().GetDeletionTimestamp() != nil })
	for _, name := range []string{"a", "b"} {
		if _, err := client.For[*corev1.ConfigMap](c.Conn).Get(t.Context(), "default", name); err != nil {
			t.Errorf("%s did not wait for what it owns: %v", name, err)
		}
	}
	if _, err := client.For[*corev1.ConfigMap](c.Conn).Patch(t.Context(), "default", held.GetMetadata().GetName(), client.MergePatch, []byte(`{"metadata":{"finalizers":null}}`)); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	apitest.AwaitGone[*corev1.ConfigMap](t, c.Server, "default", "a")
}

func TestGarbageForegroundCycle(t *testing.T) {
	c := Start(t, nil, "garbagecollector")
	a := c.configMap(t, "a", false)
	b := c.configMap(t, "b", true, a)
	patch := fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"b","uid":%q,"blockOwnerDeletion":true}]}}`, b.GetMetadata().GetUid())
	if _, err := client.For[*corev1.ConfigMap](c.Conn).Patch(t.Context(), "default", "a", client.MergePatch, []byte(patch)); err != nil {
		t.Fatal(err)
	}
	c.deleteConfigMap(t, "a", client.Foreground)
	apitest.AwaitGone[*corev1.ConfigMap](t, c.Server, "default", "a")
	apitest.AwaitGone[*corev1.ConfigMap](t, c.Server, "default", "b")
}

func TestGarbageOrphan(t *testing.T) {
	c := Start(t, nil, "garbagecollector")
	a := c.configMap(t, "a", false)
	c.configMap(t, "b", false, a)
	c.deleteConfigMap(t, "a", client.Orphan)
	apitest.AwaitGone[*corev1.ConfigMap](t, c.Server, "default", "a")
	b, err := client.For[*corev1.ConfigMap](c.Conn).Get(t.Context(), "default", "b")
	if err != nil || len(b.GetMetadata().GetOwnerReferences()) != 0 {
		t.Errorf("b: %v, %v", b, err)
	}
}

// TestGarbageAbsentOwner is an object whose owner was gone before anybody looked.
func TestGarbageAbsentOwner(t *testing.T) {
	c := New(t)
	a := c.configMap(t, "a", false)
	c.deleteConfigMap(t, "a", "")
	c.configMap(t, "b", false, a)
	// The name is taken again, by somebody else.
	c.configMap(t, "a", false)
	c.Run(nil, "garbagecollector")
	apitest.AwaitGone[*corev1.ConfigMap](t, c.Server, "default", "b")
	if _, err := client.For[*corev1.ConfigMap](c.Conn).Get(t.Context(), "default", "a"); err != nil {
		t.Error(err)
	}
}

func TestGarbageOfDeployments(t *testing.T) {
	c := Start(t, nil, "deployment", "replicaset", "garbagecollector")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	const n = 40
	for i := range n {
		apitest.Create(t, c.Server, deployment(fmt.Sprintf("d-%d", i), 5))
	}
	for i := range n {
		apitest.Await(t, c.Server, "default", fmt.Sprintf("d-%d", i), rolledOut)
	}
	pods := list[*corev1.Pod](t, c, client.ListOptions{Namespace: "default"})
	if len(pods) != 5*n {
		t.Fatalf("%d pods", len(pods))
	}
	begin := time.Now()
	if _, err := client.For[*appsv1.Deployment](c.Conn).DeleteCollection(t.Context(), client.ListOptions{Namespace: "default"}); err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods {
		apitest.AwaitGone[*corev1.Pod](t, c.Server, "default", pod.GetMetadata().GetName())
	}
	t.Logf("%d deployments x 5 gone after %s", n, time.Since(begin))
	if left := list[*appsv1.ReplicaSet](t, c, client.ListOptions{Namespace: "default"}); len(left) != 0 {
		t.Errorf("%d replica sets are left", len(left))
	}
}

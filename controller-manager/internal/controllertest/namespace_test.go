package controllertest

import (
	"fmt"
	"strings"
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
)

func TestNamespaceDeletion(t *testing.T) {
	c := Start(t, nil, "*")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	apitest.Create(t, c.Server, &corev1.Namespace{Metadata: &metav1.ObjectMeta{Name: "team"}})
	apitest.Await(t, c.Server, "team", "default", func(a *corev1.ServiceAccount) bool { return true })
	d := deployment("web", 3)
	d.Metadata.Namespace = "team"
	apitest.Create(t, c.Server, d)
	apitest.Await(t, c.Server, "team", "web", rolledOut)
	for i := range 7 {
		apitest.Create(t, c.Server, &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Namespace: "team", Name: fmt.Sprintf("plain-%d", i)}})
	}
	apitest.Create(t, c.Server, &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Namespace: "team", Name: "held", Finalizers: []string{"example.com/hold"}}})
	if err := client.For[*corev1.Namespace](c.Conn).Delete(t.Context(), "", "team"); err != nil {
		t.Fatal(err)
	}
	ns := apitest.Await(t, c.Server, "", "team", func(n *corev1.Namespace) bool {
		for _, cond := range n.GetStatus().GetConditions() {
			if cond.GetType() == "NamespaceContentRemaining" {
				return cond.GetMessage() == "Some resources are remaining: configmaps. has 1 resource instances (held)"
			}
		}
		return false
	})
	if ns.GetStatus().GetPhase() != "Terminating" {
		t.Errorf("phase %s", ns.GetStatus().GetPhase())
	}
	told := false
	for _, cond := range ns.GetStatus().GetConditions() {
		told = told || strings.HasSuffix(cond.GetMessage(), "finalizers remaining: example.com/hold in 1 resource instances")
	}
	if !told {
		t.Errorf("the finalizer is not named: %v", ns.GetStatus())
	}
	if _, err := client.For[*corev1.ConfigMap](c.Conn).Patch(t.Context(), "team", "held", client.MergePatch, []byte(`{"metadata":{"finalizers":null}}`)); err != nil {
		t.Fatal(err)
	}
	apitest.AwaitGone[*corev1.Namespace](t, c.Server, "", "team")
}

func TestNamespaceContents(t *testing.T) {
	ca := writeCA(t)
	c := Start(t, ca, "serviceaccount", "rootca")
	apitest.Create(t, c.Server, &corev1.Namespace{Metadata: &metav1.ObjectMeta{Name: "team"}})
	apitest.Await(t, c.Server, "team", "default", func(*corev1.ServiceAccount) bool { return true })
	apitest.Await(t, c.Server, "team", "kube-root-ca.crt", func(m *corev1.ConfigMap) bool { return m.GetData()["ca.crt"] == testCA })
	// Both are put back.
	if err := client.For[*corev1.ServiceAccount](c.Conn).Delete(t.Context(), "team", "default"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.For[*corev1.ConfigMap](c.Conn).Patch(t.Context(), "team", "kube-root-ca.crt", client.MergePatch, []byte(`{"data":{"ca.crt":"x"}}`)); err != nil {
		t.Fatal(err)
	}
	apitest.Await(t, c.Server, "team", "default", func(*corev1.ServiceAccount) bool { return true })
	apitest.Await(t, c.Server, "team", "kube-root-ca.crt", func(m *corev1.ConfigMap) bool { return m.GetData()["ca.crt"] == testCA })
}

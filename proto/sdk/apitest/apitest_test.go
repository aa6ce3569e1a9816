package apitest_test

import (
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
)

func TestServer(t *testing.T) {
	s := apitest.New(t)
	maps := client.For[*corev1.ConfigMap](s.Conn)
	created := apitest.Create(t, s, &corev1.ConfigMap{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "a"}, Data: map[string]string{"k": "v"},
	})
	if created.Metadata.Uid == "" || client.Revision(created) == 0 || created.Metadata.CreationTimestamp == nil {
		t.Errorf("created %v", created)
	}
	for _, again := range []func(){func() {}, s.Cut, func() { s.Restart(t) }} {
		again()
		got, err := maps.Get(t.Context(), "default", "a")
		if err != nil || got.Data["k"] != "v" {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	apitest.Await(t, s, "default", "a", func(m *corev1.ConfigMap) bool { return m.Data["k"] == "v" })
	if err := maps.Delete(t.Context(), "default", "a"); err != nil {
		t.Fatal(err)
	}
	apitest.AwaitGone[*corev1.ConfigMap](t, s, "default", "a")
	if _, err := maps.Get(t.Context(), "default", "a"); !apierrors.IsNotFound(err) {
		t.Errorf("after deletion: %v", err)
	}
}

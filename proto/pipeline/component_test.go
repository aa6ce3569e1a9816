package pipeline_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func TestComponentStatuses(t *testing.T) {
	h := start(t)
	state := func(name string) string {
		t.Helper()
		it, err := h.get(ref("", "componentstatuses", "", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range into(t, it, &corev1.ComponentStatus{}).GetConditions() {
			return c.GetType() + "=" + c.GetStatus()
		}
		return ""
	}
	lease := func(name string, renewed time.Time) {
		h.mustCreate(ref("coordination.k8s.io", "leases", "kube-system", ""), &coordinationv1.Lease{
			Metadata: &metav1.ObjectMeta{Name: name},
			Spec: &coordinationv1.LeaseSpec{HolderIdentity: proto.String("a"), LeaseDurationSeconds: proto.Int32(15),
				RenewTime: &metav1.MicroTime{Seconds: proto.Int64(renewed.Unix())}},
		})
	}
	if got := state("etcd-0"); got != "Healthy=True" {
		t.Errorf("the store: %s", got)
	}
	if got := state("scheduler"); got != "" {
		t.Errorf("without a lease: %s", got)
	}
	lease("kube-scheduler", time.Now())
	lease("kube-controller-manager", time.Now().Add(-time.Minute))
	for _, name := range []string{"kube-scheduler", "kube-controller-manager"} {
		if _, err := h.get(ref("coordination.k8s.io", "leases", "kube-system", name)); err != nil { // in memory from now on
			t.Fatal(err)
		}
	}
	if got := state("scheduler"); got != "Healthy=True" {
		t.Errorf("with a lease: %s", got)
	}
	if got := state("controller-manager"); got != "Healthy=False" {
		t.Errorf("with an old lease: %s", got)
	}
}

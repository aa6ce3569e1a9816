package pods

import (
	"fmt"
	"strings"
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"

	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/keelson/keelson/kubelet/internal/runtime/fake"
)

func q(s string) *metav1.Quantity { return &metav1.Quantity{String_: s} }

func needs(cpu, memory string) *corev1.ResourceRequirements {
	return &corev1.ResourceRequirements{Requests: map[string]*metav1.Quantity{"cpu": q(cpu), "memory": q(memory)},
		Limits: map[string]*metav1.Quantity{"cpu": q(cpu), "memory": q(memory)}}
}

// patchPart patches a pod's subresource.
func (n *node) patchPart(name, subresource, patch string) {
	n.t.Helper()
	_, err := resourcev1.NewResourceServiceClient(n.server.Conn.GRPC()).Patch(n.t.Context(), &resourcev1.PatchRequest{
		Ref:  &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Version: "v1", Plural: "pods"}, Namespace: "default", Name: name, Subresource: subresource},
		Type: resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE, Patch: []byte(patch)})
	if err != nil {
		n.t.Fatal(err)
	}
}

func resizeTo(cpu, memory string) string {
	return fmt.Sprintf(`{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":%q,"memory":%q},"limits":{"cpu":%q,"memory":%q}}}]}}`, cpu, memory, cpu, memory)
}

func resizeCondition(p *corev1.Pod, kind string) string {
	for _, c := range p.Status.GetConditions() {
		if c.Type == kind {
			return c.Reason + " " + c.Message
		}
	}
	return ""
}

func small(c *Config) {
	c.Node.Allocatable = map[string]*metav1.Quantity{"cpu": q("1"), "memory": q("1Gi")}
}

func shown(p *corev1.Pod) string {
	s := p.Status.GetContainerStatuses()
	if len(s) == 0 {
		return ""
	}
	return s[0].GetResources().GetLimits()["cpu"].GetString_() + " " + s[0].GetAllocatedResources()["memory"].GetString_()
}

func TestResizeInPlace(t *testing.T) {
	n := newNode(t, fake.Options{}, small)
	n.create("p", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Resources: needs("100m", "64Mi")}}})
	before := n.await("p", func(p *corev1.Pod) bool { return ready(p) && shown(p) == "100m 64Mi" })
	n.patchPart("p", "resize", resizeTo("200m", "128Mi"))
	after := n.await("p", func(p *corev1.Pod) bool {
		return shown(p) == "200m 128Mi" && resizeCondition(p, resizeInProgress) == ""
	})
	id := trimID(after.Status.ContainerStatuses[0].ContainerID)
	if id != trimID(before.Status.ContainerStatuses[0].ContainerID) || after.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Error("it was restarted")
	}
	if r := n.fake.Config(id).Resources; r.CPUQuota != 20000 || r.MemoryLimit != 128<<20 {
		t.Errorf("runs with %+v", r)
	}
	n.events.has(t, "p ResizeCompleted")

	// More than the machine has is never given.
	n.patchPart("p", "resize", resizeTo("2", "128Mi"))
	n.await("p", func(p *corev1.Pod) bool {
		return strings.HasPrefix(resizeCondition(p, resizePending), "Infeasible Node didn't have enough capacity: cpu, requested: 2000, capacity: 1000")
	})
	// A kubelet that starts again still knows what was given.
	n.stop()
	n.start()
	n.await("p", func(p *corev1.Pod) bool {
		return ready(p) && shown(p) == "200m 128Mi" && resizeCondition(p, resizePending) != ""
	})
	if r := n.fake.Config(id).Resources; r.CPUQuota != 20000 {
		t.Errorf("runs with %+v", r)
	}
	n.patchPart("p", "resize", resizeTo("300m", "128Mi"))
	n.await("p", func(p *corev1.Pod) bool { return shown(p) == "300m 128Mi" && resizeCondition(p, resizePending) == "" })
}

func TestResizeWaitsForRoom(t *testing.T) {
	n := newNode(t, fake.Options{}, small)
	for _, name := range []string{"p", "other"} {
		n.create(name, &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Resources: needs("400m", "64Mi")}}})
		n.await(name, ready)
	}
	n.patchPart("p", "resize", resizeTo("800m", "64Mi"))
	n.await("p", func(p *corev1.Pod) bool {
		return strings.HasPrefix(resizeCondition(p, resizePending), "Deferred") && shown(p) == "400m 64Mi"
	})
	n.patchPart("other", "resize", resizeTo("100m", "64Mi"))
	n.await("p", func(p *corev1.Pod) bool { return shown(p) == "800m 64Mi" && resizeCondition(p, resizePending) == "" })
}

func TestResizeRestarts(t *testing.T) {
	n := newNode(t, fake.Options{}, small)
	n.create("p", &corev1.PodSpec{RestartPolicy: "OnFailure", Containers: []*corev1.Container{{Name: "c", Resources: needs("100m", "64Mi"),
		ResizePolicy: []*corev1.ContainerResizePolicy{{ResourceName: "memory", RestartPolicy: "RestartContainer"}, {ResourceName: "cpu", RestartPolicy: "NotRequired"}}}}})
	n.await("p", ready)
	n.patchPart("p", "resize", resizeTo("200m", "64Mi"))
	n.await("p", func(p *corev1.Pod) bool {
		return shown(p) == "200m 64Mi" && p.Status.ContainerStatuses[0].RestartCount == 0
	})
	n.patchPart("p", "resize", resizeTo("200m", "96Mi"))
	after := n.await("p", func(p *corev1.Pod) bool {
		return ready(p) && shown(p) == "200m 96Mi" && p.Status.ContainerStatuses[0].RestartCount == 1
	})
	if r := n.fake.Config(trimID(after.Status.ContainerStatuses[0].ContainerID)).Resources; r.MemoryLimit != 96<<20 {
		t.Errorf("runs with %+v", r)
	}
}

func TestEphemeralContainer(t *testing.T) {
	n := newNode(t, fake.Options{Behave: func(c *runtime.ContainerConfig) fake.Behaviour {
		return fake.Behaviour{Exits: c.Name == "debug"}
	}}, nil)
	n.create("p", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c"}}})
	n.await("p", ready)
	n.patchPart("p", "ephemeralcontainers", `{"spec":{"ephemeralContainers":[{"name":"debug","image":"i","targetContainerName":"c"},{"name":"stays","image":"i"}]}}`)
	p := n.await("p", func(p *corev1.Pod) bool {
		s := p.Status.GetEphemeralContainerStatuses()
		return len(s) == 2 && s[0].GetState().GetTerminated() != nil && s[1].GetState().GetRunning() != nil
	})
	if !ready(p) || p.Status.EphemeralContainerStatuses[0].RestartCount != 0 {
		t.Errorf("%v", p.Status)
	}
	main := trimID(p.Status.ContainerStatuses[0].ContainerID)
	if got := n.fake.Config(trimID(p.Status.EphemeralContainerStatuses[0].ContainerID)).PIDOf; got != main {
		t.Errorf("sees the processes of %q, want %q", got, main)
	}
	n.stop()
	n.start()
	again := n.await("p", ready)
	if id := again.Status.EphemeralContainerStatuses[0].ContainerID; id != p.Status.EphemeralContainerStatuses[0].ContainerID {
		t.Errorf("it ran again as %s", id)
	}
}

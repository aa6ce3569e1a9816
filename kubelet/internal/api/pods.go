// Package api is the kubelet's side of the API server: what pods and volumes need of it, over the SDK's client.
package api

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/events"
)

// Pods reads and writes pods; it implements pods.API.
type Pods struct{ client *client.Client[*corev1.Pod] }

// NewPods uses the connection.
func NewPods(c *client.Conn) *Pods { return &Pods{client.For[*corev1.Pod](c).Trim()} }

// Get implements pods.API.
func (p *Pods) Get(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	return p.client.Get(ctx, namespace, name)
}

// UpdateStatus implements pods.API.
func (p *Pods) UpdateStatus(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	return p.client.UpdateStatus(ctx, pod)
}

// Delete implements pods.API.
func (p *Pods) Delete(ctx context.Context, pod *corev1.Pod) error {
	m := pod.Metadata
	return p.client.Delete(ctx, m.Namespace, m.Name, client.DeleteOptions{
		GracePeriodSeconds: new(int64), Preconditions: client.UID(m.Uid),
	})
}

// IsConflict implements pods.API.
func (p *Pods) IsConflict(err error) bool { return apierrors.IsConflict(err) }

// IsNotFound implements pods.API.
func (p *Pods) IsNotFound(err error) bool { return apierrors.IsNotFound(err) }

// Events records events of pods and their containers; it implements pods.Events.
type Events struct{ Recorder *events.Recorder }

// Record implements pods.Events.
func (e Events) Record(pod *corev1.Pod, container *corev1.Container, kind, reason, format string, args ...any) {
	ref := events.Ref(pod)
	if container != nil {
		field := "containers"
		for _, c := range pod.Spec.InitContainers {
			if c.Name == container.Name {
				field = "initContainers"
			}
		}
		for _, c := range pod.Spec.EphemeralContainers {
			if c.EphemeralContainerCommon.GetName() == container.Name {
				field = "ephemeralContainers"
			}
		}
		ref.FieldPath = fmt.Sprintf("spec.%s{%s}", field, container.Name)
	}
	e.Recorder.EventRef(ref, kind, reason, format, args...)
}

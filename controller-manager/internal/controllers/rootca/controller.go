// Package rootca publishes the authority of the API servers' certificates in every namespace, as the ConfigMap
// kube-root-ca.crt that is mounted beside a pod's token.
//
// It reads Namespaces and the ConfigMaps of that name, and keeps their data equal to the authority.
package rootca

import (
	"context"
	"fmt"
	"maps"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
)

// Name of the controller.
const Name = "rootca"

const (
	workers       = 2
	configMapName = "kube-root-ca.crt"
	dataKey       = "ca.crt"

	annotationDescription = "kubernetes.io/description"
	description           = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)

// Controller reconciles Namespaces; its keys are their names.
type Controller struct {
	*controller.Runner[string]
	data       map[string]string
	namespaces *informer.Informer[*corev1.Namespace]
	published  *informer.Informer[*corev1.ConfigMap]
	client     *client.Client[*corev1.ConfigMap]
}

// New makes the controller and subscribes it to the caches. ca is the authorities' certificates in PEM.
func New(env *controller.Env, ca []byte) *Controller {
	c := &Controller{
		data:       map[string]string{dataKey: string(ca)},
		namespaces: caches.Namespaces(env.Caches),
		published: informer.New(env.Conn, informer.Options[*corev1.ConfigMap]{
			FieldSelector: "metadata.name=" + configMapName, Trim: true, Logger: env.Logger,
		}),
		client: client.For[*corev1.ConfigMap](env.Conn),
	}
	env.Own = append(env.Own, c.published)
	c.Runner = controller.RunnerOf[string](env, Name, workers, c.namespaces, c.published)
	c.namespaces.OnEvent(func(e informer.Event[*corev1.Namespace]) {
		if e.Type != informer.Deleted {
			c.Add(e.New.GetMetadata().GetName())
		}
	})
	c.published.OnEvent(func(e informer.Event[*corev1.ConfigMap]) { c.Add(e.Object().GetMetadata().GetNamespace()) })
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// Reconcile publishes the authority in one namespace.
func (c *Controller) Reconcile(ctx context.Context, name string) error {
	ns, ok := c.namespaces.Get("", name)
	if !ok || ns.GetMetadata().GetDeletionTimestamp() != nil {
		return nil
	}
	have, ok := c.published.Get(name, configMapName)
	if ok && maps.Equal(have.GetData(), c.data) && len(have.GetBinaryData()) == 0 {
		return nil
	}
	written, err := c.write(ctx, name, have)
	switch {
	case err == nil:
		c.Wrote(name, c.published, client.Revision(written))
	case apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err), apierrors.HasCause(err, apierrors.CauseNamespaceTerminating):
	default:
		return fmt.Errorf("publishing the authority: %w", err)
	}
	return nil
}

func (c *Controller) write(ctx context.Context, namespace string, have *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	if have == nil {
		return c.client.Create(ctx, &corev1.ConfigMap{
			Metadata: &metav1.ObjectMeta{
				Namespace: namespace, Name: configMapName,
				Annotations: map[string]string{annotationDescription: description},
			},
			Data: c.data,
		})
	}
	changed := proto.CloneOf(have)
	changed.Data, changed.BinaryData = c.data, nil
	return c.client.Update(ctx, changed)
}
